package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// What a partner's token may do.
const (
	scopeAccountsRead  = "accounts:read"  // accounts and their orders
	scopeAccountsWrite = "accounts:write" // order and change accounts, make passwords
	scopeUsageRead     = "usage:read"     // what accounts use
)

// partnerScopes is what a partner's token may do where nothing else was asked for.
var partnerScopes = []string{scopeAccountsRead, scopeAccountsWrite, scopeUsageRead}

// ofPartners says that an operation is called with a partner's token.
func ofPartners(op *huma.Operation) bool {
	_, ok := op.Security[0]["partner"]
	return ok
}

// partnerScopeOf is what an operation asks of a partner's token.
func partnerScopeOf(op *huma.Operation) string {
	switch {
	case op.OperationID == "getPartnerUsage", op.OperationID == "getPartnerQuota":
		return scopeUsageRead
	case op.Method == http.MethodGet:
		return scopeAccountsRead
	}
	return scopeAccountsWrite
}

const partnerDisabled = "This partner is disabled. Ask the operator of the service."

// tokenError is a token that was good. Whoever has it may hear why it is not.
type tokenError struct{ detail string }

// Error implements error.
func (e *tokenError) Error() string { return e.detail }

// byPartnerToken finds the partner of a bearer token (RFC 6750 §2.1).
func (s *Server) byPartnerToken(ctx huma.Context) (caller, error) {
	token := bearerOf(ctx)
	if token == "" {
		return caller{}, login.ErrWrong
	}
	k, p, err := s.Store.PartnerByToken(ctx.Context(), login.TokenHash(token))
	if errors.Is(err, store.ErrNotFound) {
		return caller{}, login.ErrWrong
	}
	if err != nil {
		return caller{}, err
	}
	now := time.Now()
	if wait := s.limits.wait(k.ID, now); wait > 0 {
		return caller{}, &login.Throttled{Retry: wait}
	}
	switch {
	case !k.RevokedAt.IsZero():
		return caller{}, &tokenError{"This token was revoked. Ask the operator of the service for another."}
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return caller{}, &tokenError{"This token has expired. Ask the operator of the service for another."}
	case !p.DisabledAt.IsZero():
		return caller{}, &tokenError{partnerDisabled}
	}
	if now.Sub(k.SeenAt) > seenEvery {
		if err := s.Store.TouchPartnerToken(ctx.Context(), k.ID, now); err != nil {
			s.Log.Warn("cannot remember the use of a token", "error", err)
		}
	}
	return caller{partner: p, token: k}, nil
}

// bearerOf is the bearer token of a call, or "".
func bearerOf(ctx huma.Context) string {
	return bearerIn(ctx.Header("Authorization"))
}

func bearerIn(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
