package config

import (
	"strings"
	"testing"
)

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

// TestNotifyChecks: whatever would make a letter that cannot be sent or read.
func TestNotifyChecks(t *testing.T) {
	for _, c := range []struct {
		n   Notify
		say string
	}{
		{Notify{}, ""},
		{Notify{Operator: "ops@example.com", Payment: "Pay to IBAN XX00 and name {order}.", PaymentLink: "https://pay.example/{order}?a={account}"}, ""},
		{Notify{Operator: "ops"}, "notify.operator"},
		{Notify{Operator: "ops@müller.example"}, "notify.operator"},
		{Notify{From: "nobody"}, "notify.from"},
		{Notify{Payment: "two\nlines"}, "notify.payment:"},
		{Notify{Payment: "name {oder}"}, "notify.payment:"},
		{Notify{Payment: strings.Repeat("x", 501)}, "notify.payment:"},
		{Notify{PaymentLink: "pay.example/{order}"}, "notify.payment_link"},
		{Notify{PaymentLink: "https://pay.example/{orders}"}, "notify.payment_link"},
		{Notify{PaymentLink: "javascript:alert(1)"}, "notify.payment_link"},
	} {
		err := c.n.check()
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%+v: %v, want %q", c.n, err, c.say)
		}
	}
}

func TestPay(t *testing.T) {
	n := Notify{Payment: "Name {order} of {account}.", PaymentLink: "https://pay.example/{order}?a={account}"}
	if how, link := n.Pay("01AB", "a+b@c"); how != "Name 01AB of a+b@c." || link != "https://pay.example/01AB?a=a%2Bb%40c" {
		t.Errorf("%q, %q", how, link)
	}
	if how, link := (Notify{}).Pay("01AB", "a"); how+link != "" {
		t.Errorf("nothing set: %q, %q", how, link)
	}
}
