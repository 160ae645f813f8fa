package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// operation describes one call with a token.
func operation(id, method, path, summary string, errs ...int) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Security: []map[string][]string{{"bearer": {}}},
		Errors: append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, errs...)}
}

// registerSending hangs on what hands in mail and follows it, and the tokens.
func (s *Server) registerSending(a huma.API) {
	put := operation("putBody", http.MethodPut, "/bodies/{sha256}", "Upload a message, or a piece of it", http.StatusRequestTimeout,
		http.StatusConflict, http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage)
	put.Description = "Pieces are sent in order. After an interruption HEAD says in Upload-Offset where to go on. The hash is checked when the last byte has come."
	put.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
	add(s, a, put, s.putBody)
	add(s, a, operation("headBody", http.MethodHead, "/bodies/{sha256}", "How much of a message is there", http.StatusNotFound), s.headBody)
	add(s, a, operation("deleteBody", http.MethodDelete, "/bodies/{sha256}", "Forget an upload"), s.deleteBody)
	submit := operation("submit", http.MethodPost, "/submissions", "Hand in batches", http.StatusRequestEntityTooLarge)
	submit.Description = "Every batch has its own answer, which is SMTP's. A batch is accepted once, whichever way it comes and however often."
	submit.MaxBodyBytes, submit.BodyReadTimeout = maxSubmission, bodyTimeout
	add(s, a, submit, s.submit)
	add(s, a, operation("cancelBatches", http.MethodPost, "/batches/cancel", "Take back what has not left"), s.cancelBatches)
	add(s, a, operation("getMessage", http.MethodGet, "/messages/{id}", "One accepted message", http.StatusNotFound), s.message)
	add(s, a, operation("getJob", http.MethodGet, "/jobs/{job}", "The batches of one job", http.StatusNotFound), s.job)
	add(s, a, operation("listDevices", http.MethodGet, "/devices", "The tokens of the account"), s.devices)
	add(s, a, operation("revokeDevice", http.MethodDelete, "/devices/{id}", "Make a token invalid", http.StatusNotFound), s.revokeDevice)
}
