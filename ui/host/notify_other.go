//go:build !unix || darwin

package host

import "context"

// Notifier shows notes through the fallback of its configuration.
type Notifier struct{ config NotifierConfig }

// NewNotifier touches nothing yet.
func NewNotifier(config NotifierConfig) *Notifier { return &Notifier{config} }

// Close has nothing to end.
func (n *Notifier) Close() error { return nil }

// Notify hands the note to the fallback; without one there is no service.
func (n *Notifier) Notify(ctx context.Context, note Note) error {
	if n.config.Fallback == nil {
		return ErrNoService
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	note.Title, note.Body = plain(note.Title), plain(note.Body)
	return n.config.Fallback(note)
}

// Withdraw cannot take back what the fallback has shown.
func (n *Notifier) Withdraw(context.Context, string) error { return nil }
