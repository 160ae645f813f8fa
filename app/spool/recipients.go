package spool

import (
	"encoding/binary"
	"errors"
	"fmt"

	"servicesmtp.net/companion/app/mail"
)

// The recipients of a batch are one blob, so that 20,000 recipients are 400
// rows. A version byte, then for each recipient: a byte of flags, the address,
// the Notify words where flagNotify is set, the original where flagOriginal is.
// A string is its length as an unsigned varint, then its bytes.
const (
	recipientsVersion = 1
	flagNotify        = 1
	flagOriginal      = 2
)

var errRecipients = errors.New("list of recipients cannot be read")

func encodeRecipients(list []mail.Recipient) []byte {
	size := 1
	for _, r := range list {
		size += len(r.Address) + len(r.Original) + 16
	}
	b := append(make([]byte, 0, size), recipientsVersion)
	for _, r := range list {
		var flags byte
		if len(r.Notify) > 0 {
			flags |= flagNotify
		}
		if r.Original != "" {
			flags |= flagOriginal
		}
		b = appendString(append(b, flags), r.Address)
		if flags&flagNotify != 0 {
			b = binary.AppendUvarint(b, uint64(len(r.Notify)))
			for _, word := range r.Notify {
				b = appendString(b, word)
			}
		}
		if flags&flagOriginal != 0 {
			b = appendString(b, r.Original)
		}
	}
	return b
}

// storedList is where a query puts the column recipients. Every reader goes this
// way, so that a list that cannot be read is met inside of the query and starts
// a salvage, as any row that makes no sense does.
type storedList []mail.Recipient

// Scan implements sql.Scanner.
func (l *storedList) Scan(value any) (err error) {
	blob, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("%w: %w", ErrDamaged, errRecipients)
	}
	*l, err = decodeRecipients(blob)
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeRecipients reads what encodeRecipients wrote. Whatever else it is
// given, it returns ErrDamaged rather than a shorter list.
func decodeRecipients(b []byte) ([]mail.Recipient, error) {
	if len(b) == 0 || b[0] != recipientsVersion {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, errRecipients)
	}
	d := decoder{rest: b[1:]}
	var list []mail.Recipient
	for len(d.rest) > 0 {
		flags := d.rest[0]
		d.rest = d.rest[1:]
		r := mail.Recipient{Address: d.string()}
		if flags&flagNotify != 0 {
			for n := d.length(); n > 0 && !d.failed; n-- {
				r.Notify = append(r.Notify, d.string())
			}
		}
		if flags&flagOriginal != 0 {
			r.Original = d.string()
		}
		if d.failed || r.Address == "" || flags > flagNotify|flagOriginal {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, errRecipients)
		}
		list = append(list, r)
	}
	return list, nil
}

// decoder takes values off the front of rest until one does not fit.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) length() int {
	n, used := binary.Uvarint(d.rest)
	if used <= 0 || n > uint64(len(d.rest)-used) {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[used:]
	return int(n)
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) bytes() []byte {
	n := d.length()
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// anyAddress says whether one of the addresses in what encodeRecipients wrote
// satisfies match, and copies none. A list that cannot be read has none.
func anyAddress(b []byte, match func(address []byte) bool) bool {
	if len(b) == 0 || b[0] != recipientsVersion {
		return false
	}
	d := decoder{rest: b[1:]}
	for len(d.rest) > 0 {
		flags := d.rest[0]
		d.rest = d.rest[1:]
		address := d.bytes()
		if flags&flagNotify != 0 {
			for n := d.length(); n > 0 && !d.failed; n-- {
				d.bytes()
			}
		}
		if flags&flagOriginal != 0 {
			d.bytes()
		}
		if d.failed || flags > flagNotify|flagOriginal {
			return false
		}
		if match(address) {
			return true
		}
	}
	return false
}
