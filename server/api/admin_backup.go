package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"servicesmtp.net/companion/server/backup"
)

// backups are the backups that run. The relay may stop while one does: it is
// given up then, and waited for, because it reads the store.
type backups struct {
	stop    chan struct{}
	once    sync.Once
	running sync.WaitGroup
}

func newBackups() *backups { return &backups{stop: make(chan struct{})} }

func (b *backups) giveUp() { b.once.Do(func() { close(b.stop) }) }

// makeBackup streams a backup to the command that asks for it, which writes the
// file itself: so it lands only where the operator may write.
func (a *Admin) makeBackup(w http.ResponseWriter, r *http.Request) {
	if a.Backup == nil {
		writeProblem(w, http.StatusNotFound, "the running relay keeps its data in PostgreSQL: give its settings with --config, and this command says how to save it")
		return
	}
	// The time to send a request must not end the answer to it.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		a.Log.Debug("no deadline taken away", "error", err)
	}
	a.backups.running.Add(1)
	defer a.backups.running.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-a.backups.stop:
			cancel()
			// Nor may a command that does not read keep the relay from stopping.
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now()); err != nil {
				a.Log.Debug("no deadline set", "error", err)
			}
		case <-done:
		}
	})
	defer watch.Wait()
	defer close(done)

	began := time.Now()
	out := &begun{ResponseWriter: w}
	err := a.Backup(ctx, out)
	switch {
	case err == nil:
		a.Log.Info("backup made", "took", time.Since(began).Round(time.Millisecond))
	case out.any:
		// Only a broken connection tells the command that the rest is missing.
		a.Log.Warn("backup broken off", "error", err)
		panic(http.ErrAbortHandler)
	case errors.Is(err, backup.ErrRunning):
		writeProblem(w, http.StatusConflict, err.Error()+": wait for its end")
	default:
		a.Log.Error("backup failed", "error", err)
		writeProblem(w, http.StatusInternalServerError, err.Error())
	}
}

// begun says whether anything was answered.
type begun struct {
	http.ResponseWriter
	any bool
}

// Write implements http.ResponseWriter.
func (b *begun) Write(p []byte) (int, error) {
	if !b.any {
		b.Header().Set("Content-Type", "application/gzip")
	}
	b.any = true
	return b.ResponseWriter.Write(p)
}
