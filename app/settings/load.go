package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"servicesmtp.net/companion/app/say"
)

// maxFile is far above any real file and keeps a wrong path harmless.
const maxFile = 1 << 20

// Load reads a file. A missing one is Default. An unusable one is an *Error.
func Load(path string) (Settings, error) {
	text, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	return parse(path, text)
}

// read returns the text without the mark that Windows editors put in front.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, errors.New("the file is larger than 1 MB")
	}
	return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), err
}

func parse(path string, text []byte) (Settings, error) {
	s := Default()
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&s)
	if err != nil {
		return Settings{}, fail(path, decodeProblems(err))
	}
	for i, a := range s.Accounts {
		s.Accounts[i] = a.complete()
	}
	problems := s.problems()
	if len(problems) == 0 {
		return s, nil
	}
	lines := keyLines(text)
	for i, p := range problems {
		problems[i].Line = lines[p.Key]
		problems[i].Key = withoutIndex(p.Key)
	}
	return Settings{}, fail(path, problems)
}

// decodeProblems puts the decoder's findings into our words.
func decodeProblems(err error) []Problem {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		problems := make([]Problem, len(missing.Errors))
		for i, e := range missing.Errors {
			line, _ := e.Position()
			key := strings.Join(e.Key(), ".")
			problems[i] = Problem{Line: line, Key: key, Sentence: unknown(key), Said: say.T("The setting {{.Key}} is not known.").With("Key", key)}
		}
		return problems
	}
	e, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return []Problem{{Sentence: strings.TrimPrefix(err.Error(), "toml: ") + ".", Said: unreadable}}
	}
	line, _ := e.Position()
	key := strings.Join(e.Key(), ".")
	if strings.HasPrefix(key, "pace.per_provider.") {
		key = "pace.per_provider"
	}
	if w, ok := words[key]; ok {
		return []Problem{{Line: line, Key: key, Sentence: "write " + w + ".", Said: wrong(key)}}
	}
	return []Problem{{Line: line, Sentence: "this cannot be read: " + strings.TrimPrefix(e.Error(), "toml: ") + ".", Said: unreadable}}
}

var unreadable = say.T("The settings file cannot be read.")

// keyLines finds the line of each key; keys of accounts carry their number,
// "account.0.name". It is asked only when something is wrong.
func keyLines(text []byte) map[string]int {
	lines := make(map[string]int)
	var p unstable.Parser
	p.Reset(text)
	table, accounts := "", 0
	for p.NextExpression() {
		e := p.Expression()
		key, line := keyOf(&p, e)
		switch e.Kind {
		case unstable.Table:
			table = key
		case unstable.ArrayTable:
			table = fmt.Sprintf("%s.%d", key, accounts)
			accounts++
		case unstable.KeyValue:
			if table != "" {
				key = table + "." + key
			}
			lines[key] = line
			continue
		default:
			continue
		}
		lines[table] = line
	}
	return lines
}

func keyOf(p *unstable.Parser, e *unstable.Node) (key string, line int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		if line == 0 {
			line = p.Shape(it.Node().Raw).Start.Line
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), line
}

// withoutIndex turns "account.0.name" into the key that the user knows.
func withoutIndex(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) > 1 && parts[0] == "account" {
		parts = slices.Delete(parts, 1, 2)
	}
	return strings.Join(parts, ".")
}
