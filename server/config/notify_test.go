package config

import "testing"

func TestSender(t *testing.T) {
	c := Default()
	if got := c.Sender(); got != "postmaster@localhost" || !c.Notify.Mail {
		t.Errorf("default %q, mail %v", got, c.Notify.Mail)
	}
	c.Notify.From = "Reports <r@relay.example>"
	if got := c.Sender(); got != c.Notify.From {
		t.Errorf("got %q", got)
	}
}
