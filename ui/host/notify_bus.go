//go:build unix && !darwin

package host

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	notesName = "org.freedesktop.Notifications"
	notesPath = dbus.ObjectPath("/org/freedesktop/Notifications")
	// notesPatience is longer than for a panel: the desktop may have to start
	// the service for the first note.
	notesPatience = 5 * time.Second
	// remembered is how many notes that are gone can still be pressed: some
	// services report the closing before the press, and some keep a list of
	// old notes that stay pressable.
	remembered = 100
)

// Notifier shows notes. It connects with the first one, and again when the bus
// or the service was away in between. Its methods may be called by several
// goroutines; one note is shown after the other.
type Notifier struct {
	config   NotifierConfig
	patience time.Duration
	life     context.Context // of connections; ended by Close
	end      context.CancelFunc
	listener sync.WaitGroup

	turn chan struct{} // holds one token: who has it may talk to the service

	mu           sync.Mutex // guards all below
	conn         *dbus.Conn
	capabilities answer[[]string]
	shown        map[string]uint32         // by note ID: what the service calls it
	ids          map[uint32]answer[string] // and back, also of notes that are gone
	order        []uint32                  // of ids, oldest first
}

// answer is what a service said, and when on this connection: an answer of the
// service that is gone must not outlive it, one of its successor must.
type answer[T any] struct {
	value T
	at    dbus.Sequence
}

// NewNotifier touches nothing yet.
func NewNotifier(config NotifierConfig) *Notifier {
	n := &Notifier{config: config, patience: notesPatience, turn: make(chan struct{}, 1)}
	n.life, n.end = context.WithCancel(context.Background())
	n.turn <- struct{}{}
	n.reset()
	return n
}

// Close ends the connection and waits for the goroutine that listens. After it
// OnAction is not called any more.
func (n *Notifier) Close() error {
	n.end() // calls that are under way fail
	<-n.turn
	defer func() { n.turn <- struct{}{} }()
	n.drop()
	n.listener.Wait()
	return nil
}

// Notify shows a note. [ErrNoService] says that nobody shows notes here.
func (n *Notifier) Notify(ctx context.Context, note Note) error {
	conn, done, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	object := conn.Object(notesName, notesPath)
	capabilities, err := n.able(ctx, object)
	if err != nil {
		return err
	}
	urgency := byte(1)
	if note.Urgent {
		urgency = 2
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(urgency)}
	if n.config.DesktopEntry != "" {
		hints["desktop-entry"] = dbus.MakeVariant(plain(n.config.DesktopEntry))
	}
	const expiryIsYours = int32(-1)
	var id uint32
	shown := call(ctx, object, n.patience, notesName+".Notify", 0,
		plain(n.config.AppName), n.replaces(note.ID), plain(icon(note.Icon)), plain(note.Title), body(note.Body, capabilities),
		actions(note, n.config.AppName, capabilities), hints, expiryIsYours)
	if err := shown.Store(&id); err != nil {
		return err
	}
	n.remember(note.ID, id, shown.ResponseSequence)
	return nil
}

// Withdraw takes a note from the screen. That it is gone already is no error.
func (n *Notifier) Withdraw(ctx context.Context, id string) error {
	number := n.replaces(id)
	if number == 0 {
		return nil
	}
	conn, done, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if number = n.replaces(id); number == 0 { // while we waited for our turn
		return nil
	}
	n.closed(number)
	err = call(ctx, conn.Object(notesName, notesPath), n.patience, notesName+".CloseNotification", dbus.FlagNoAutoStart, number).Err
	if _, said := errors.AsType[dbus.Error](err); said && !errors.Is(err, ErrTimeout) {
		return nil // the service's way to say that it has no such note, or the bus's that there is no service
	}
	return err
}

// icon makes a path into what the specification asks for.
func icon(name string) string {
	if filepath.IsAbs(name) {
		return (&url.URL{Scheme: "file", Path: name}).String()
	}
	return name
}

// begin waits for its turn and connects if need be; done gives the turn back.
func (n *Notifier) begin(ctx context.Context) (conn *dbus.Conn, done func(), err error) {
	select {
	case <-n.turn:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	done = func() { n.turn <- struct{}{} }
	if conn, err = n.connection(ctx); err != nil {
		done()
		return nil, nil, err
	}
	return conn, done, nil
}

// connection is the open one or a new one with its listener. Only for who has
// the turn.
func (n *Notifier) connection(ctx context.Context) (*dbus.Conn, error) {
	if n.life.Err() != nil {
		return nil, dbus.ErrClosed
	}
	n.mu.Lock()
	conn := n.conn
	n.mu.Unlock()
	if conn != nil && conn.Connected() {
		return conn, nil
	}
	n.drop()
	n.listener.Wait()
	conn, err := connect(n.life, n.patience)
	if err != nil {
		return nil, err
	}
	signals, err := listen(ctx, conn, n.patience, noteRules)
	if err != nil {
		conn.Close()
		return nil, err
	}
	n.mu.Lock()
	n.conn = conn
	n.mu.Unlock()
	n.listener.Go(func() { n.listen(signals) })
	return conn, nil
}

// drop closes the connection, if any; its listener ends.
func (n *Notifier) drop() {
	n.mu.Lock()
	conn := n.conn
	n.conn = nil
	n.mu.Unlock()
	if conn != nil {
		conn.Close()
		n.reset()
	}
}

// able is what the service can do, asked once per service.
func (n *Notifier) able(ctx context.Context, object dbus.BusObject) ([]string, error) {
	n.mu.Lock()
	known := n.capabilities
	n.mu.Unlock()
	if known.value != nil {
		return known.value, nil
	}
	asked := call(ctx, object, n.patience, notesName+".GetCapabilities", 0)
	list := []string{}
	if err := asked.Store(&list); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.capabilities = answer[[]string]{list, asked.ResponseSequence}
	n.mu.Unlock()
	return list, nil
}
