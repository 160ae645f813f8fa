package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"servicesmtp.net/companion/internal/durable"
)

// BackupSuffix ends the name of the copy that a change leaves behind.
const BackupSuffix = ".bak"

// ErrNoAccount says that the file has no account of that name.
var ErrNoAccount = errors.New("no such account")

// Save replaces the whole file, readable by its owner only. Comments of the
// user are lost; SetAccount, ForgetAccount and Change keep them.
func Save(path string, s Settings) error {
	if err := s.Validate(); err != nil {
		return err
	}
	text, err := encode(s)
	if err != nil {
		return err
	}
	return replace(path, text)
}

// SetAccount adds the account or replaces the one of the same name.
func SetAccount(path string, a Account) error {
	a = a.complete()
	return edit(path, func(s *Settings, text []byte) ([]byte, error) {
		block, err := encodeAccount(a)
		if err != nil {
			return nil, err
		}
		blocks := accountBlocks(text)
		i := s.index(a.Name)
		if i < 0 {
			s.Accounts = append(s.Accounts, a)
			return insert(text, blocks, block), nil
		}
		s.Accounts[i] = a
		if i >= len(blocks) {
			return text, nil // written in another form; edit notices
		}
		return splice(text, blocks[i], block), nil
	})
}

// ForgetAccount removes the account of that name, or fails with ErrNoAccount.
func ForgetAccount(path, name string) error {
	return edit(path, func(s *Settings, text []byte) ([]byte, error) {
		i := s.index(name)
		if i < 0 {
			return nil, ErrNoAccount
		}
		s.Accounts = slices.Delete(s.Accounts, i, i+1)
		blocks := accountBlocks(text)
		if i >= len(blocks) {
			return text, nil
		}
		return splice(text, blocks[i], nil), nil
	})
}

// Account finds an account by its name.
func (s Settings) Account(name string) (Account, bool) {
	if i := s.index(name); i >= 0 {
		return s.Accounts[i], true
	}
	return Account{}, false
}

func (s Settings) index(name string) int {
	return slices.IndexFunc(s.Accounts, func(a Account) bool { return strings.EqualFold(a.Name, name) })
}

// edit changes settings and text side by side and holds that they agree: where
// the changed text does not read as the changed settings, the whole file is
// written anew. A file that cannot be read is never overwritten.
func edit(path string, change func(*Settings, []byte) ([]byte, error)) error {
	old, err := read(path)
	existed := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read settings: %w", err)
	}
	s, err := parse(path, old)
	if err != nil {
		return err
	}
	text, err := change(&s, slices.Clone(old))
	if err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return err
	}
	if again, err := parse(path, text); err != nil || !equal(again, s) {
		if text, err = encode(s); err != nil {
			return err
		}
	}
	if existed && bytes.Equal(text, old) {
		return nil // the copy of the file before is worth more than one of this
	}
	if existed {
		if err := replace(path+BackupSuffix, old); err != nil {
			return fmt.Errorf("keep old settings: %w", err)
		}
	}
	return replace(path, text)
}

func equal(a, b Settings) bool {
	if len(a.Accounts) == 0 && len(b.Accounts) == 0 {
		a.Accounts, b.Accounts = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// replace writes durably, through a symbolic link to the file that it names.
func replace(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make settings folder: %w", err)
	}
	// A leftover with looser permissions would pass them on.
	if err := os.Remove(path + durable.TempSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := durable.WriteFile(path, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

func encode(s Settings) ([]byte, error) {
	text, err := toml.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	return text, nil
}

func encodeAccount(a Account) ([]byte, error) {
	text, err := toml.Marshal(struct {
		Accounts []Account `toml:"account"`
	}{[]Account{a}})
	if err != nil {
		return nil, fmt.Errorf("encode account: %w", err)
	}
	return text, nil
}

// block is where an account stands in the text.
type block struct{ from, to int }

// accountBlocks finds the [[account]] tables. It looks at lines only; a text
// that it misreads (a header inside a long string) is caught by edit.
func accountBlocks(text []byte) []block {
	var out []block
	open := false
	at, end := 0, 0
	for line := range bytes.Lines(text) {
		word := strings.Join(strings.Fields(string(line)), "")
		switch {
		case strings.HasPrefix(word, "["):
			open = strings.HasPrefix(word, "[[account]]")
			if open {
				out = append(out, block{from: at})
			}
			end = at + len(line)
		case word != "" && word[0] != '#': // comments after the last key belong to what follows
			end = at + len(line)
		}
		if open {
			out[len(out)-1].to = end
		}
		at += len(line)
	}
	return out
}

func splice(text []byte, b block, with []byte) []byte {
	return slices.Concat(text[:b.from], with, text[b.to:])
}

// insert puts a new account behind the others, or at the end.
func insert(text []byte, blocks []block, with []byte) []byte {
	at := len(text)
	if len(blocks) > 0 {
		at = blocks[len(blocks)-1].to
	}
	before, after := text[:at], text[at:]
	if len(before) > 0 {
		gap := "\n"
		if before[len(before)-1] != '\n' {
			gap = "\n\n"
		}
		with = slices.Concat([]byte(gap), with)
	}
	return slices.Concat(before, with, after)
}
