package delivery

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"servicesmtp.net/companion/internal/durable"
)

// maildir is the sandbox: every recipient's copy becomes a file in one maildir.
type maildir struct{ path string }

func newMaildir(path string) (*maildir, error) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := durable.MkdirAll(filepath.Join(path, sub)); err != nil {
			return nil, fmt.Errorf("make maildir: %w", err)
		}
	}
	return &maildir{path}, nil
}

// Lane implements Route.
func (d *maildir) Lane(string) string { return "maildir" }

// Plan implements Route.
func (d *maildir) Plan() Plan { return Plan{Slots: 1} }

// Open implements Route.
func (d *maildir) Open(context.Context, string) (Conn, error) { return d, nil }

// Alive implements Conn.
func (d *maildir) Alive() bool { return true }

// Close implements Conn.
func (d *maildir) Close() error { return nil }

// Deliver implements Conn. A file's name comes from the recipient's row, so
// that a repeat after a crash replaces the file instead of adding one.
func (d *maildir) Deliver(ctx context.Context, m Message, beforeData func([]int64) error) []Result {
	ids := make([]int64, 0, len(m.Recipients))
	for _, r := range m.Recipients {
		ids = append(ids, r.ID)
	}
	if err := beforeData(ids); err != nil {
		return nil
	}
	out := Result{Status: Delivered, Code: 250, Enhanced: "2.0.0", Reply: "Written to the maildir", Remote: "maildir"}
	if err := d.write(ctx, m); err != nil {
		out = Result{Status: Deferred, Code: 451, Enhanced: "4.3.0", Reply: "The maildir cannot be written", Remote: "maildir", Lost: true}
	}
	results := make([]Result, 0, len(ids))
	for _, id := range ids {
		out.ID = id
		results = append(results, out)
	}
	return results
}

// write makes all the files, then syncs the folder once: package durable would
// sync it for every file, which makes 50 recipients 100 times as slow.
func (d *maildir) write(ctx context.Context, m Message) error {
	body, err := m.Body(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	first := ""
	for _, r := range m.Recipients {
		name := fmt.Sprintf("%s.R%d.relay", m.ID, r.ID)
		var content io.Reader = io.LimitReader(body, m.Size+1)
		if first != "" {
			f, err := os.Open(first)
			if err != nil {
				return err
			}
			content = io.NewSectionReader(f, int64(len(envelopeFields(m, m.Recipients[0]))), m.Size+1)
			err = d.file(name, m, r, content)
			f.Close()
			if err != nil {
				return err
			}
			continue
		}
		if err := d.file(name, m, r, content); err != nil {
			return err
		}
		first = filepath.Join(d.path, "new", name)
	}
	return durable.SyncDir(filepath.Join(d.path, "new"))
}

// file writes one copy in tmp, syncs it and moves it to new.
func (d *maildir) file(name string, m Message, r Recipient, content io.Reader) error {
	tmp := filepath.Join(d.path, "tmp", name)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, envelopeFields(m, r))
	var n int64
	if err == nil {
		n, err = io.Copy(f, content)
	}
	if err == nil && n != m.Size {
		err = errBody
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(d.path, "new", name))
	}
	return err
}

// envelopeFields is what stands in front of the message (RFC 5321 §4.4).
func envelopeFields(m Message, r Recipient) string {
	received := strings.TrimRight(m.Received, "\r\n")
	if received != "" {
		received += "\r\n"
	}
	return "Return-Path: <" + m.From + ">\r\nDelivered-To: " + r.Address + "\r\n" + received
}
