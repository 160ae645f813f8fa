package companion

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module     = "servicesmtp.net/companion"
	fyneModule = "fyne.io/fyne/v2"
)

// rule says which of our packages, and which guarded libraries, a package may
// import. A package that is not in the table fails the test: decide where it
// stands before it is written.
type rule struct {
	may []string // of ours, by path below the module; "x/*" is everything below x
	why string
}

// shared is what both halves may use; it knows neither.
var shared = []string{"internal/wire", "internal/units", "internal/money", "internal/listen", "internal/socket", "internal/durable", "internal/lite", "internal/folders", "internal/authority", "internal/csvsafe", "internal/smtpdata"}

func with(more ...string) []string { return append(slices.Clone(shared), more...) }

var rules = map[string]rule{
	"":                   {nil, "holds tests about the module only"},
	"internal/units":     {nil, "pure: sizes and rates"},
	"internal/money":     {nil, "pure: amounts of a currency"},
	"internal/wire":      {nil, "pure: what both halves agree on"},
	"internal/csvsafe":   {nil, "tables for spreadsheets, no mail"},
	"internal/smtpdata":  {nil, "pure: what follows DATA, for both halves"},
	"internal/race":      {nil, "for tests: whether the race detector watches"},
	"internal/durable":   {nil, "files, no mail"},
	"internal/listen":    {nil, "connections, no mail"},
	"internal/schema":    {nil, "migrations, no tables"},
	"internal/lite":      {[]string{"internal/schema"}, "SQLite, no tables"},
	"internal/folders":   {nil, "where the companion keeps its data; makes none"},
	"internal/socket":    {nil, "HTTP over a Unix socket, no mail"},
	"internal/authority": {[]string{"internal/durable"}, "certificates of one installation: relay and companion have one each"},

	"internal/lite/pages": {[]string{"internal/lite"}, "what is left of a damaged SQLite file; no tables; its tests write with SQLite"},

	"app/mail":     {[]string{"internal/wire", "internal/units"}, "vocabulary: everybody imports it, so it imports nobody"},
	"app/say":      {[]string{"app/mail"}, "pure: words for people"},
	"app/dsn":      {[]string{"app/mail", "app/say"}, "pure: values in, a message out"},
	"app/batch":    {[]string{"internal/wire", "app/mail"}, "pure"},
	"app/pace":     {[]string{"app/mail"}, "pure"},
	"app/spool":    {with("app/mail", "internal/lite/pages"), "a stage does not know the other stages; app/run.go joins them"},
	"app/proxy":    {with("app/mail"), "a stage does not know the other stages"},
	"app/uplink":   {with("app/mail"), "a stage does not know the other stages"},
	"app/reports":  {with("app/mail", "relayclient"), "reads the relay's API, shows nothing"},
	"app/secret":   {with("app/say"), "passwords only; knows no account"},
	"app/settings": {with("app/mail", "app/say"), "one file; knows no stage"},
	"app/apptest":  {with("app/mail"), "doubles for tests, below the stages"},
	"app": {with("app/mail", "app/say", "app/batch", "app/dsn", "app/pace", "app/spool", "app/proxy", "app/uplink", "app/reports", "app/secret", "app/settings",
		"relayclient", "assets"), "the façade joins the stages, and is all that a skin sees; reports to senders speak their language"},
	"app/control": {with("app", "app/mail", "app/say"), "carries the façade over a socket"},

	"assets":         {nil, "embedded data"},
	"assets/iconset": {[]string{"assets"}, "writes the mark as PNG files for packages"},
	"ui/viewmodel":   {[]string{"app", "app/mail", "app/say"}, "pure: State in words, numbers and flags; no Fyne"},
	"ui/look":        {[]string{"assets"}, "theme, icons and widgets of our own; knows no mail"},
	"ui/host":        {nil, "what this desktop offers: tray, notifications, start at login; knows no mail"},
	"ui/hosttest":    {nil, "a tray, a notification service and a keyring for tests"},
	"ui":             {[]string{"app", "app/mail", "app/say", "ui/viewmodel", "ui/look", "ui/host", "assets"}, "the window sees the façade only"},

	"relayclient": {nil, "public client: usable without the rest"},

	"server/account":         {[]string{"internal/units"}, "pure rules of plans and periods"},
	"server/pace":            {[]string{}, "pure rules of the pace"},
	"server/store":           {with("server/account", "server/pace", "internal/schema"), "SQL, no rules"},
	"server/store/storetest": {nil, "a PostgreSQL server for tests; imports no store, so that its own tests may use it"},
	"server/billing":         {with("server/account", "server/store"), "one transaction for each event of an account's plan"},
	"server/notify":          {with(), "pure: values in, words and mail out; no store, no clock"},
	"server/accept":          {with("server/account", "server/pace", "server/store", "server/billing"), "the one transaction"},
	"server/monthly":         {with("server/account", "server/notify", "server/store"), "reads the figures of a month; no rules"},
	"server/tell":            {with("server/account", "server/accept", "server/billing", "server/notify", "server/store"), "notice and mail in one transaction; no rules"},
	"server/steward":         {with("server/accept", "server/account", "server/billing", "server/monthly", "server/notify", "server/store", "server/tell"), "when accounts are reviewed, closed and told; no rules, no SQL; accept only to make a teller for tests"},
	"server/submission":      {with("server/accept", "server/account", "server/billing", "server/store"), "SMTP in"},
	"server/delivery":        {with("server/store"), "SMTP out; does not know the queue"},
	"server/queue":           {with("server/store", "server/delivery"), "decides when delivery runs"},
	"server/config":          {with(), "one file; knows no part"},
	"server/node":            {with("server/store"), "keeps the lease; decides nothing about mail"},
	"server/backup":          {with("server/store"), "files and one database; knows no mail"},
	"server/authority":       {with(), "certificates of the relay: its own authority, or files"},
	"server/login":           {with("server/store"), "passwords and tokens"},
	"server/metrics":         {with("server/accept", "server/delivery", "server/store"), "counts, decides nothing; nobody but the composition root knows it"},
	"server/api": {with("server/account", "server/accept", "server/billing", "server/store", "server/queue", "server/login", "server/notify", "server/tell", "server/monthly", "server/backup", "server/pace", "server/steward"),
		"JSON over the store; generates relayclient/openapi.yaml"},

	"cmd/companionctl": {with("app/*", "app"), "composition root: terminal"},
	"cmd/companion":    {with("app/*", "app", "ui/*", "ui", "assets"), "composition root: window and tray"},
	"cmd/relayd":       {with("server/*"), "composition root: relay"},
	"e2e":              {nil, "black box: only the built programs"},
	"e2e/world":        {nil, "black box: only the built programs"},
	"e2e/chaos":        {nil, "black box: the built programs, killed and cut off"},
	"e2e/ui":           {nil, "black box: the built window, driven from outside"},
	"bench":            {nil, "black box: only the built programs; `make bench` runs it"},
}

// guarded libraries may be imported by the named packages only.
var guarded = map[string]rule{
	fyneModule + "/app":               {[]string{"cmd/companion"}, "everything else then builds without cgo"},
	"fyne.io/systray":                 {[]string{"cmd/companion"}, "Fyne starts it; one place reaches past Fyne"},
	"github.com/mjl-/mox":             {[]string{"server/delivery"}, "its API is at version 0"},
	"github.com/riverqueue":           {[]string{"server/queue", "server/store"}, "jobs can be rebuilt from the table; nobody else may rely on them"},
	"github.com/emersion/go-message":  {[]string{"server/notify"}, "one writer of MIME"},
	"github.com/zalando/go-keyring":   {[]string{"app/secret"}, "one worker, one deadline"},
	"modernc.org/sqlite":              {[]string{"internal/lite", "server/store", "app/spool", "app/reports"}, "SQL stays in the stores"},
	"github.com/jackc/pgx/v5":         {[]string{"server/store", "server/store/storetest"}, "SQL stays in the stores"},
	"github.com/pressly/goose":        {[]string{"internal/schema"}, "one way to migrate"},
	"github.com/danielgtaylor/huma":   {[]string{"server/api"}, "one API"},
	"github.com/prometheus":           {[]string{"server/metrics"}, "the parts tell what happened in their own words"},
	"github.com/alecthomas/kong":      {[]string{"cmd/companionctl", "cmd/companion", "cmd/relayd"}, "flags belong to the composition roots"},
	"github.com/emersion/go-smtp":     {[]string{"app/proxy", "app/uplink", "app/apptest", "server/submission", "server/delivery", "e2e/world"}, "SMTP stays at the edges"},
	"github.com/pelletier/go-toml/v2": {[]string{"app/settings", "server/config", "server/account"}, "settings are read in one place each"},
}

// testOnly packages may be imported by _test.go files of any package.
var testOnly = []string{"internal/race", "server/store/storetest", "app/apptest", "ui/hosttest", "e2e/world"}

func TestImports(t *testing.T) {
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "dist") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(p))
		if pkg == "." {
			pkg = ""
		}
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if msg := check(pkg, name, strings.HasSuffix(p, "_test.go")); msg != "" {
				t.Errorf("%s: %s", p, msg)
			}
		}
		if _, ok := rules[pkg]; !ok {
			t.Errorf("%s: package %q is not in the import table of arch_test.go", p, pkg)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check returns what is wrong with pkg importing name, or "".
func check(pkg, name string, test bool) string {
	if ours, ok := strings.CutPrefix(name, module+"/"); ok {
		if ours == pkg || (test && slices.Contains(testOnly, ours)) || allowed(rules[pkg].may, ours) {
			return ""
		}
		return fmt.Sprintf("%q may not import %q (%s)", pkg, ours, rules[pkg].why)
	}
	for lib, r := range guarded {
		if (name == lib || strings.HasPrefix(name, lib+"/")) && !slices.Contains(r.may, pkg) && !test {
			return fmt.Sprintf("only %s may import %s (%s)", strings.Join(r.may, ", "), lib, r.why)
		}
	}
	return ""
}

func allowed(may []string, name string) bool {
	for _, m := range may {
		if m == name {
			return true
		}
		if base, ok := strings.CutSuffix(m, "/*"); ok && strings.HasPrefix(name, base+"/") {
			return true
		}
	}
	return false
}

// TestRulesBite makes sure that the table refuses what it is there to refuse.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		pkg, imports string
		test, fine   bool
	}{
		{"app/proxy", module + "/app/spool", false, false},
		{"app/mail", module + "/app/batch", false, false},
		{"server/accept", module + "/app/mail", false, false},
		{"app/uplink", module + "/server/store", false, false},
		{"app", module + "/app/control", false, false},
		{"app/uplink", module + "/app/apptest", true, true},
		{"app/uplink", module + "/app/apptest", false, false},
		{"app", fyneModule + "/app", false, false},
		{"server/api", "github.com/mjl-/mox/smtpclient", false, false},
		{"app/spool", "modernc.org/sqlite", false, true},
		{"app/proxy", module + "/app/mail", false, true},
	} {
		if got := check(c.pkg, c.imports, c.test) == ""; got != c.fine {
			t.Errorf("%s imports %s (test %v): allowed %v, want %v", c.pkg, c.imports, c.test, got, c.fine)
		}
	}
}

// TestHeadlessPrograms holds that the terminal and the relay carry no window,
// and build for three systems without cgo.
func TestHeadlessPrograms(t *testing.T) {
	for _, program := range []string{"./cmd/companionctl", "./cmd/relayd"} {
		out, err := exec.Command("go", "list", "-deps", program).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		for dep := range strings.Lines(string(out)) {
			if strings.HasPrefix(dep, "fyne.io") {
				t.Errorf("%s depends on %s", program, strings.TrimSpace(dep))
			}
		}
		for _, system := range []string{"linux", "windows", "darwin"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), path.Base(program)), program)
			cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS="+system)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s for %s: %v\n%s", program, system, err, out)
			}
		}
	}
}
