package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"servicesmtp.net/companion/server/config"
)

// onPostgres is what backup and restore answer where the database is
// PostgreSQL: its own tools are the better ones.
type onPostgres struct {
	Database string   `json:"database"`
	Commands []string `json:"commands"`
	Copy     []string `json:"copy"`
}

// sayPostgres tells the operator what to do. The password stays out of what
// lands in a terminal's history: PostgreSQL's tools ask, or read ~/.pgpass.
func (inv *invocation) sayPostgres(s config.Store, restore bool) error {
	name := quoteShell(withoutPassword(s.DSN))
	p := onPostgres{Database: "postgresql", Copy: inv.foldersToCopy(s)}
	if restore {
		p.Commands = []string{"pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname=" + name + " relay.dump",
			"relayd store renew-name" + inv.flags()}
	} else {
		p.Commands = []string{"pg_dump --format=custom --file=relay.dump --dbname=" + name}
	}
	if inv.json {
		return inv.printJSON(p)
	}
	if restore {
		fmt.Fprintf(inv.stdout, "The database is PostgreSQL, which brings itself back. Stop the relay, then:\n  %s\nbring these back:\n  %s\nand, before the relay starts again:\n  %s\n",
			p.Commands[0], strings.Join(p.Copy, "\n  "), p.Commands[1])
		return nil
	}
	// The dump first: a body that it names is then there when the folder is copied.
	fmt.Fprintf(inv.stdout, "The database is PostgreSQL, which saves itself. The relay may run:\n  %s\nThen copy these:\n  %s\n", p.Commands[0], strings.Join(p.Copy, "\n  "))
	return nil
}

// flags name the same folder and settings for another command.
func (inv *invocation) flags() string {
	text := " --data " + quoteShell(inv.data)
	if inv.config != "" {
		text += " --config " + quoteShell(inv.config)
	}
	return text
}

// passwordPair finds the password in a DSN of words, quoted or not.
var passwordPair = regexp.MustCompile(`(?i)\s*\b(password|sslpassword)\s*=\s*('(\\.|[^'\\])*'|\S*)`)

// withoutPassword takes the secrets out of a DSN, in either of its forms. What
// is no URL that can be read is shown without everything after the scheme.
func withoutPassword(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return strings.TrimSpace(passwordPair.ReplaceAllString(dsn, ""))
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "postgres://"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for name := range q {
		if name == "password" || name == "sslpassword" {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// quoteShell makes one word for a shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
