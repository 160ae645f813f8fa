package api

import (
	"context"
	"strings"
	"time"
)

type deviceID struct {
	ID string `path:"id" minLength:"1" maxLength:"40" doc:"From the list of devices"`
}

// DeviceView is a token that is valid, without the token.
type DeviceView struct {
	ID      string    `json:"id" example:"01JDJ8Y7QX4Z5V0M3T9C2B6K8N"`
	Name    string    `json:"name" example:"office computer"`
	Scopes  []string  `json:"scopes" nullable:"false" example:"[\"read\",\"send\"]"`
	Created time.Time `json:"created_at"`
	Seen    time.Time `json:"seen_at" doc:"To the hour"`
	This    bool      `json:"this" doc:"The token that asks"`
}

// Devices are the tokens of an account.
type Devices struct {
	Devices []DeviceView `json:"devices" nullable:"false" doc:"Last used first"`
}

func (s *Server) devices(ctx context.Context, _ *noInput) (*out[Devices], error) {
	who := from(ctx)
	rows, err := s.Store.Devices(ctx, who.account.ID)
	if err != nil {
		return nil, err
	}
	answer := Devices{Devices: make([]DeviceView, 0, len(rows))}
	for _, d := range rows {
		answer.Devices = append(answer.Devices, DeviceView{ID: d.ID, Name: d.Name, Scopes: strings.Fields(d.Scopes), Created: d.CreatedAt,
			Seen: d.SeenAt, This: d.ID == who.device.ID})
	}
	return &out[Devices]{Body: answer}, nil
}

func (s *Server) revokeDevice(ctx context.Context, in *deviceID) (*struct{}, error) {
	account := from(ctx).account.ID
	if err := s.Store.RevokeDevice(ctx, account, in.ID, time.Now()); err != nil {
		return nil, err
	}
	s.Log.Info("token revoked", "account", account, "device", in.ID)
	return nil, nil
}
