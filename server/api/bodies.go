package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"servicesmtp.net/companion/server/store"
)

// pieceTimeout is how long the next bytes of an upload may take.
const pieceTimeout = 30 * time.Second

// BodyName is the path of an upload; huma reads embedded fields of exported types only.
type BodyName struct {
	SHA256 string `path:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the whole message, lower-case hexadecimal"`
}

// bodyIn is a piece of an upload. It has no field Body, which huma would read
// into memory; its resolver keeps the stream instead.
type bodyIn struct {
	BodyName
	Offset int64 `header:"Upload-Offset" minimum:"0" default:"0" doc:"Where this piece begins; HEAD tells how much is there"`
	Length int64 `header:"Upload-Length" minimum:"0" default:"0" doc:"Bytes of the whole message; 0: it ends with this piece, whose Content-Length then is needed"`
	stream *stream
	length int64 // Content-Length, or -1
}

// Resolve implements huma.Resolver.
func (in *bodyIn) Resolve(hc huma.Context) []error {
	r, w := humago.Unwrap(hc)
	in.stream = &stream{r: r.Body, line: http.NewResponseController(w)}
	in.length = r.ContentLength
	return nil
}

// Upload is how much of a message is there.
type Upload struct {
	SHA256   string    `json:"sha256"`
	Offset   int64     `json:"offset" doc:"Bytes from the beginning that are there; where to go on" example:"1048576"`
	Length   int64     `json:"length" doc:"Bytes of the whole" example:"2097152"`
	Complete bool      `json:"complete" doc:"All of it is there and its hash is right: submissions may name it"`
	Expires  time.Time `json:"expires_at" doc:"When it is forgotten unless it is used"`
}

type uploadOut struct {
	Offset   int64  `header:"Upload-Offset"`
	Length   int64  `header:"Upload-Length"`
	Complete string `header:"Upload-Complete" doc:"?1 or ?0 (RFC 9651)"`
	Body     Upload
}

// headOut is uploadOut for a call whose answer has no content.
type headOut struct {
	Offset   int64  `header:"Upload-Offset"`
	Length   int64  `header:"Upload-Length"`
	Complete string `header:"Upload-Complete" doc:"?1 or ?0 (RFC 9651)"`
}

// uploadKept is how long an upload stays without being touched.
const uploadKept = 24 * time.Hour

func viewUpload(u store.Upload) *uploadOut {
	return &uploadOut{Offset: u.There, Length: u.Size, Complete: boolean(u.Complete),
		Body: Upload{SHA256: u.SHA256, Offset: u.There, Length: u.Size, Complete: u.Complete, Expires: u.TouchedAt.Add(uploadKept)}}
}

func boolean(b bool) string {
	if b {
		return "?1"
	}
	return "?0"
}

func (s *Server) headBody(ctx context.Context, in *BodyName) (*headOut, error) {
	u, err := s.uploads.State(ctx, from(ctx).account.ID, in.SHA256)
	if err != nil {
		return nil, err
	}
	return &headOut{Offset: u.There, Length: u.Size, Complete: boolean(u.Complete)}, nil
}

func (s *Server) deleteBody(ctx context.Context, in *BodyName) (*struct{}, error) {
	return nil, s.uploads.Remove(ctx, from(ctx).account.ID, in.SHA256)
}

func (s *Server) putBody(ctx context.Context, in *bodyIn) (*uploadOut, error) {
	size := in.Length
	switch {
	case size == 0 && in.length < 0:
		return nil, huma.NewError(http.StatusLengthRequired, "Say how long the message is: Upload-Length, or Content-Length where it comes in one piece.")
	case size == 0:
		size = in.Offset + in.length
	}
	limit := s.Policy.MessageMax
	if size > limit || in.Offset > size || in.length > size-in.Offset {
		if size <= limit {
			return nil, huma.Error422UnprocessableEntity("Upload-Offset and this piece go beyond Upload-Length.")
		}
		return nil, huma.Error413RequestEntityTooLarge("The message is larger than " + strconv.FormatInt(limit, 10) + " bytes.")
	}
	u, err := s.uploads.Write(ctx, store.Part{AccountID: from(ctx).account.ID, SHA256: in.SHA256, Size: size, Offset: in.Offset,
		Body: in.stream, Interrupt: in.stream.interrupt})
	if err != nil {
		return nil, s.uploadProblem(err, u)
	}
	return viewUpload(u), nil
}

// uploadProblem puts the end of a piece into words. Where something is there,
// the answer says how much.
func (s *Server) uploadProblem(err error, u store.Upload) error {
	there := func(e huma.StatusError) error {
		return huma.ErrorWithHeaders(e, http.Header{"Upload-Offset": {strconv.FormatInt(u.There, 10)}, "Upload-Length": {strconv.FormatInt(u.Size, 10)}})
	}
	var reading *readError
	switch {
	case errors.Is(err, store.ErrUploadOffset):
		return there(huma.Error409Conflict("The upload goes on elsewhere: Upload-Offset says where."))
	case errors.Is(err, store.ErrUploadTaken):
		return there(huma.Error409Conflict("A newer request goes on with this upload."))
	case errors.Is(err, store.ErrUploadHash):
		return huma.Error422UnprocessableEntity("The content has another SHA-256 than the address says. It was thrown away: send it again from the beginning.")
	case errors.Is(err, store.ErrUploadLong):
		return huma.Error422UnprocessableEntity("The content is longer than announced. It was thrown away: send it again from the beginning.")
	case errors.Is(err, store.ErrUploadFull):
		return huma.ErrorWithHeaders(huma.Error429TooManyRequests("Too many messages wait to be submitted. Submit or delete some."),
			http.Header{"Retry-After": {"600"}})
	case errors.As(err, &reading):
		return there(huma.NewError(http.StatusRequestTimeout, "The upload ended early; what came is kept."))
	case store.IsFull(err):
		return huma.NewError(http.StatusInsufficientStorage, "The service has no room now, try again later.")
	}
	return err
}

// readError says that the caller's connection, and not our disk, failed.
type readError struct{ err error }

func (e *readError) Error() string { return "read upload: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// stream is the content of an upload. A slow line has all the time it needs,
// a silent one pieceTimeout.
type stream struct {
	r    io.Reader
	line *http.ResponseController

	mu    sync.Mutex // guards taken and the deadlines
	taken bool
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.extend(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.taken {
			return n, store.ErrUploadTaken
		}
		return n, &readError{err}
	}
	return n, err
}

// extend gives the next bytes their time, and the answer its own after them.
func (s *stream) extend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken {
		return store.ErrUploadTaken
	}
	now := time.Now()
	err := errors.Join(s.line.SetReadDeadline(now.Add(pieceTimeout)), s.line.SetWriteDeadline(now.Add(pieceTimeout+answerTimeout)))
	if err != nil && !errors.Is(err, os.ErrNoDeadline) && !errors.Is(err, http.ErrNotSupported) {
		return &readError{err}
	}
	return nil
}

// interrupt ends the reading at once, from another goroutine.
func (s *stream) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = true
	// Where it cannot be set, the next Read ends the reading.
	_ = s.line.SetReadDeadline(time.Now())
}

// expireUploads forgets what nobody submits, until ctx ends.
func (s *Server) expireUploads(ctx context.Context) {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		n, err := s.uploads.Expire(ctx, time.Now().Add(-uploadKept))
		switch {
		case err != nil && ctx.Err() == nil:
			s.Log.Error("old uploads not removed", "error", err)
		case n > 0:
			s.Log.Info("old uploads removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
