package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// quarantineName is the folder of damaged files. Nothing in it is ever removed
// by this package, but for the copies of a salvage that failed.
const quarantineName = "quarantine"

// Names in each of its folders.
const (
	reportName = "report.json"
	seenName   = "seen"
)

// quarantineTime names a folder.
const quarantineTime = "20060102T150405.000Z"

// DamageName is the name of the Damage of a moment.
func DamageName(at time.Time) string { return at.UTC().Format(quarantineTime) }

// Damage is what a salvage found: the damaged files are in the folder Name of
// the quarantine, and all that could be read of them is in the new database.
type Damage struct {
	Name             string       `json:"name"`
	At               time.Time    `json:"at"`
	Messages         int          `json:"messages"`          // that wait, whole, and go on
	Damaged          int          `json:"damaged"`           // kept and not sent: their text is lost
	Doubtful         int64        `json:"doubtful"`          // recipients left to a person, because the rows contradict each other
	FailedRecipients int64        `json:"failed_recipients"` // because their batch or message could not be read
	FailedMessages   int          `json:"failed_messages"`   // messages that can be read, with such recipients
	Lost             []mail.JobID `json:"lost,omitempty"`    // messages whose entry could not be read
	Nameless         int          `json:"nameless"`          // likewise, and their names neither
	Files            int          `json:"files"`             // stored messages without an entry, set aside
	Unclear          int64        `json:"unclear"`           // recipients of the history whose outcome is not known any more
	Log              bool         `json:"log"`               // the newest changes may be missing
	Short            bool         `json:"short"`             // a part of the file is missing, and whatever was in it
}

// DamageError is the ErrDamaged of a salvage. OnProblem hears it.
type DamageError struct{ Damage }

// Error says it in one sentence with the numbers, and no path.
func (e *DamageError) Error() string {
	d := e.Damage
	parts := []string{fmt.Sprintf("%d messages go on", d.Messages)}
	for _, p := range []struct {
		n    int64
		what string
	}{
		{int64(len(d.Lost) + d.Nameless), "messages could not be read and have failed"},
		{d.FailedRecipients, "recipients could not be read and have failed"},
		{d.Doubtful, "recipients are left to a person"},
		{int64(d.Damaged), "messages are kept and not sent because their text is lost"},
		{int64(d.Files), "stored messages without an entry were set aside"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if d.Log {
		parts = append(parts, "changes of the last minutes may be missing")
	}
	if d.Short {
		parts = append(parts, "a part of the file is missing, with whatever was in it")
	}
	if len(d.Lost) > 0 {
		parts = append(parts, fmt.Sprintf("the first of them is %s", d.Lost[0]))
	}
	return fmt.Sprintf("%v and was rebuilt: %s; the damaged files are kept in %q", ErrDamaged, strings.Join(parts, ", "), quarantineName+"/"+d.Name)
}

// Unwrap makes it an ErrDamaged.
func (e *DamageError) Unwrap() error { return ErrDamaged }

// Damages lists the reports of salvages that nobody has seen yet, oldest first.
// One that cannot be read hides no other.
func (s *Spool) Damages() ([]Damage, error) {
	names, err := s.quarantined()
	if err != nil {
		return nil, err
	}
	var out []Damage
	var failed error
	for _, name := range names {
		folder := filepath.Join(s.dir, quarantineName, name)
		if seen, err := exists(filepath.Join(folder, seenName)); err != nil || seen {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, reportName))
		if errors.Is(err, os.ErrNotExist) {
			continue // a salvage that did not come to its end
		}
		var d Damage
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read report of damage: %w", fault(err)))
			continue
		}
		d.Name = name
		out = append(out, d)
	}
	return out, failed
}

// SeeDamage notes that a person has seen a report. ErrNotFound where there is
// none of this name.
func (s *Spool) SeeDamage(name string) error {
	names, err := s.quarantined()
	if err != nil {
		return err
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("report of damage: %w", ErrNotFound)
	}
	return fault(durable.WriteFile(filepath.Join(s.dir, quarantineName, name, seenName), strings.NewReader("")))
}

// quarantined lists the folders of the quarantine, oldest first.
func (s *Spool) quarantined() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, quarantineName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", fault(err))
	}
	var names []string
	for _, e := range entries {
		if _, err := time.Parse(quarantineTime, e.Name()); err == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Rebuilt is when a damaged database was replaced last; zero: never.
func (s *Spool) Rebuilt() (time.Time, error) {
	names, err := s.quarantined()
	if err != nil {
		return time.Time{}, err
	}
	for _, name := range slices.Backward(names) {
		if done, err := exists(filepath.Join(s.dir, quarantineName, name, reportName)); err != nil || done {
			at, _ := time.Parse(quarantineTime, name) // quarantined has tried it
			return at, err
		}
	}
	return time.Time{}, nil
}
