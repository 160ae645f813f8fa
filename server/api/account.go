package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

func (s *Server) createDevice(ctx context.Context, in *deviceIn) (*out[Device], error) {
	account := from(ctx).account
	token, now := login.NewToken(), time.Now()
	d := store.Device{ID: store.NewID(now), AccountID: account.ID, Name: in.Body.Name, TokenHash: login.TokenHash(token), CreatedAt: now, SeenAt: now,
		Scopes: scopesOf(in.Body.Scopes)}
	err := s.Store.AddDevice(ctx, d, account.PasswordHash)
	if errors.Is(err, store.ErrNotFound) { // the password was changed since it was looked at
		return nil, huma.ErrorWithHeaders(huma.Error401Unauthorized("Name and password are not known here."),
			http.Header{"WWW-Authenticate": {`Basic realm="relay", charset="UTF-8"`}})
	}
	if err != nil {
		return nil, err
	}
	return &out[Device]{Body: Device{ID: d.ID, Name: d.Name, Account: account.Name, Token: token, Scopes: strings.Fields(d.Scopes)}}, nil
}

func (s *Server) endpoints(context.Context, *noInput) (*out[Endpoints], error) {
	return &out[Endpoints]{Body: Endpoints{Endpoints: s.Endpoints()}}, nil
}
