// Package backup writes a relay's data into one file and brings it back.
//
// The file is a gzip-compressed tar (RFC 1952, POSIX.1-2001 pax):
//
//	backup.json             the format's version, and how much follows
//	relay.db                the database as it was at one moment
//	bodies/<account>/<sum>  large bodies that it names
//	ca.pem, ca-key.pem      the relay's own authority, where it has one
//	manifest.json           what all of it is, with the sums; always the last
//
// # Writing
//
// The relay serves on: the database is copied by one reading transaction, and
// bodies never change. Invariants:
//
//  1. A body that the copied database names is in the backup, also when it is
//     removed while the backup runs (store.KeepBodies).
//  2. A backup without its end has no manifest, and is refused.
//  3. Whatever ends Write, it leaves nothing in the data folder; what a crash
//     leaves, the next backup removes.
//
// # Restoring
//
//	empty ── everything written into restoring/ ──▶ unpacked
//	unpacked ── sums right, store renewed ──▶ ready
//	ready ── files renamed, relay.db last ──▶ placed ── restoring/ removed ──▶ done
//
// Invariants:
//
//  4. Nothing is put in place before every sum was found right.
//  5. As long as restoring/ exists the folder is not served (Unfinished), and
//     another restore may replace all that is in it.
//  6. A restored store has a new name, and everything that waits in it is held
//     and marked as perhaps delivered: see store.Renew.
//
// The package starts no goroutine and holds no file in memory.
package backup

import (
	"errors"
	"os"
	"path"
	"strings"
	"time"
)

// Errors that callers tell apart.
var (
	ErrRunning    = errors.New("another backup is running")
	ErrNotBackup  = errors.New("this is not a backup of a relay")
	ErrDamaged    = errors.New("the backup is damaged")
	ErrNewer      = errors.New("the backup is of a newer version of the relay")
	ErrNotEmpty   = errors.New("the data folder is not empty")
	ErrUnfinished = errors.New("a restore into this data folder has not finished")
)

// format is the version of the file's layout.
const format = 1

// Names in the file.
const (
	headName     = "backup.json"
	manifestName = "manifest.json"
	databaseName = "relay.db"
	bodiesName   = "bodies"
)

// authorityNames are the files of the relay's own authority.
var authorityNames = []string{"ca.pem", "ca-key.pem"}

// head is the first thing in the file.
type head struct {
	Format int   `json:"format"`
	Bytes  int64 `json:"bytes"` // that follow, before compression; about
}

// Manifest says what is in a backup.
type Manifest struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that made it
	Schema    int64     `json:"schema"`  // of the database
	Store     string    `json:"store"`   // its name
	MadeAt    time.Time `json:"made_at"` // everything before is in it
	Accounts  int64     `json:"accounts"`
	Messages  int64     `json:"messages"`
	Waiting   int64     `json:"waiting"` // recipients that were not done
	Bodies    int64     `json:"bodies"`  // in files of their own, each named by its SHA-256
	BodyBytes int64     `json:"body_bytes"`
	Missing   []string  `json:"missing"` // bodies that should be in it and were missing or damaged
	Files     []File    `json:"files"`   // all but the bodies
}

// File is one file of a backup that is no body.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// isBody tells the sum in the name of a body.
func isBody(name string) (sum string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 || parts[0] != bodiesName || !isWord(parts[1]) || len(parts[2]) != 64 || strings.Trim(parts[2], "0123456789abcdef") != "" {
		return "", false
	}
	return parts[2], true
}

// isWord keeps a name from leading out of its folder.
func isWord(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

func bodyName(accountID, sum string) string { return path.Join(bodiesName, accountID, sum) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
