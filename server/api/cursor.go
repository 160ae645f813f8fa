package api

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// errCursor says that a cursor is not of this list of this store.
var errCursor = errors.New("cursor of another list or store")

// The lists that have cursors.
const (
	eventList  = "events"
	errorList  = "errors"
	noticeList = "notices"
	orderList  = "orders"
	billList   = "bills"
	creditList = "credits"

	partnerList = "partner_accounts"
)

// cursors writes and reads the places in lists. A cursor names its list and
// store, so that one from a relay that was set up anew starts again instead of
// skipping what has lower numbers now.
type cursors struct{ store string }

func (c cursors) write(list string, id int64) string {
	return c.writeKey(list, strconv.FormatInt(id, 10))
}

// writeKey is write for lists whose rows have other keys than numbers.
func (c cursors) writeKey(list, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + " " + c.store + " " + key))
}

// read is 0 for the empty cursor: the beginning.
func (c cursors) read(list, cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	number, err := c.readKey(list, cursor)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 0 {
		return 0, errCursor
	}
	return id, nil
}

// readKey is "" for the empty cursor.
func (c cursors) readKey(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", errCursor
	}
	key, ok := strings.CutPrefix(string(text), list+" "+c.store+" ")
	if !ok {
		return "", errCursor
	}
	return key, nil
}
