package relayclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Submit hands in batches, at most 100 in one call, whose bodies were uploaded
// before. The answers are in the order of the batches, each for itself: an
// error means that it is not known what became of any, and that the same call
// may be made again.
//
// The relay holds an account to its pace, and the answer back for up to a
// minute. A batch that then still has to wait is deferred, with Problem "pace"
// and RetrySeconds; where all have, Submit fails with ErrTooMany, an *Error
// whose RetryAfter says when to make the same call again.
func (c *Client) Submit(ctx context.Context, batches []NewBatch) ([]SubmittedBatch, error) {
	s, err := call[Submitted](ctx, c, maxWait, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.Submit(ctx, Submission{Batches: batches}, edit)
	})
	if err == nil && len(s.Batches) != len(batches) {
		err = fmt.Errorf("the relay answered %d batches of %d", len(s.Batches), len(batches))
	}
	return s.Batches, err
}

// CancelBatches takes back what has not left, of at most 500 batches in one call.
func (c *Client) CancelBatches(ctx context.Context, envids []string) ([]CancelledBatch, error) {
	b, err := call[Cancellations](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.CancelBatches(ctx, BatchKeys{Envids: envids}, edit)
	})
	if err == nil && len(b.Batches) != len(envids) {
		err = fmt.Errorf("the relay answered %d batches of %d", len(b.Batches), len(envids))
	}
	return b.Batches, err
}

// Message is one accepted message, by the id after "queued as".
func (c *Client) Message(ctx context.Context, id string) (Message, error) {
	return call[Message](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetMessage(ctx, id, edit)
	})
}

// Job is what the relay knows of a job's batches.
func (c *Client) Job(ctx context.Context, job string) (Job, error) {
	return call[Job](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetJob(ctx, job, edit)
	})
}

// Devices are the account's tokens.
func (c *Client) Devices(ctx context.Context) ([]DeviceView, error) {
	d, err := call[Devices](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.ListDevices(ctx, edit)
	})
	return d.Devices, err
}

// RevokeDevice makes a token invalid.
func (c *Client) RevokeDevice(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.RevokeDevice(ctx, id, edit)
	})
	return err
}

// DeleteUpload forgets an upload that will not be submitted.
func (c *Client) DeleteUpload(ctx context.Context, sha256 string) error {
	_, err := call[struct{}](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.DeleteBody(ctx, sha256, edit)
	})
	return err
}

// UploadBody uploads a message of that hash and size, beginning where an
// earlier upload ended, and going on after an interruption: as often as there
// was progress, and Options.Retries times without. The time-out of a call is
// here the longest time without a byte.
func (c *Client) UploadBody(ctx context.Context, sha256 string, size int64, content io.ReaderAt) error {
	failed, last := 0, int64(-1)
	for {
		at, complete, err := c.uploaded(ctx, sha256)
		if err != nil || complete {
			return err
		}
		if at > last {
			failed = 0
		}
		last = at
		complete, err = c.uploadFrom(ctx, sha256, at, size, content)
		if complete || ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = errors.New("the relay took a part and not all of it")
		}
		if failed++; failed > c.retries || !resumes(err) || !c.pause(ctx, failed-1, err) {
			return err
		}
	}
}

// resumes says whether an upload may go on after err.
func resumes(err error) bool {
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusRequestTimeout {
		return true
	}
	return passing(err) || errors.Is(err, ErrConflict)
}

// uploaded asks how much is there.
func (c *Client) uploaded(ctx context.Context, sha256 string) (at int64, complete bool, err error) {
	var header http.Header
	_, err = call[struct{}](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		resp, err := c.calls.HeadBody(ctx, sha256, edit)
		if err == nil {
			header = resp.Header
		}
		return resp, err
	})
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	if at, err = strconv.ParseInt(header.Get("Upload-Offset"), 10, 64); err != nil || at < 0 {
		return 0, false, &answerError{errors.New("the relay does not say how much of the upload is there")}
	}
	return at, header.Get("Upload-Complete") == "?1", nil
}

// uploadFrom sends the rest.
func (c *Client) uploadFrom(ctx context.Context, sha256 string, at, size int64, content io.ReaderAt) (complete bool, err error) {
	if at > size {
		at = 0 // what is there has another length: begin anew
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	moving := &moving{r: io.NewSectionReader(content, at, size-at), patience: c.timeout}
	moving.timer = time.AfterFunc(c.timeout, cancel)
	defer moving.timer.Stop()
	params := &PutBodyParams{UploadOffset: &at, UploadLength: &size}
	resp, err := c.calls.PutBodyWithBody(ctx, sha256, params, "application/octet-stream", moving, c.sign, func(_ context.Context, r *http.Request) error {
		r.ContentLength = size - at
		return nil
	})
	moving.wait() // net/http may still be reading
	if err != nil {
		return false, fmt.Errorf("upload to relay: %w", plain(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return false, fmt.Errorf("read relay's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return false, refusal(resp, body)
	}
	return resp.Header.Get("Upload-Complete") == "?1", nil
}

// moving gives every piece its time, and lets nobody read content that its
// owner has taken back.
type moving struct {
	r        io.Reader
	patience time.Duration
	timer    *time.Timer

	mu   sync.Mutex // guards over; held while reading
	over bool
}

// Read implements io.Reader.
func (m *moving) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return 0, context.Canceled
	}
	m.timer.Reset(m.patience)
	return m.r.Read(p)
}

// wait ends the reading.
func (m *moving) wait() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}
