package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// What a token may do.
const (
	scopeRead  = "read"  // look, and say that a notice was seen
	scopeSend  = "send"  // hand in mail, close and take back batches
	scopeAdmin = "admin" // what costs money, and tokens
)

// everything is what a token may do where nothing else was asked for.
var everything = []string{scopeRead, scopeSend, scopeAdmin}

// scopeOf is what an operation asks of a token: reading is read, anything else
// send, but for these.
func scopeOf(op *huma.Operation) string {
	if ofPartners(op) {
		return partnerScopeOf(op)
	}
	switch op.OperationID {
	case "setOveragePolicy", "listDevices", "revokeDevice":
		return scopeAdmin
	case "checkBatches", "ackNotice":
		return scopeRead
	case "headBody":
		return scopeSend
	}
	if op.Method == http.MethodGet || op.Method == http.MethodHead {
		return scopeRead
	}
	return scopeSend
}

// permits says whether a token of these scopes may do an operation.
func permits(scopes string, op *huma.Operation) bool {
	return slices.Contains(strings.Fields(scopes), scopeOf(op))
}

// scopesOf puts scopes in one order, without repetitions; none is everything.
func scopesOf(asked []string) string { return chosen(everything, asked) }

// chosen is what was asked for of all; nothing asked for is all.
func chosen(all, asked []string) string {
	if len(asked) == 0 {
		asked = all
	}
	var words []string
	for _, s := range all {
		if slices.Contains(asked, s) {
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}
