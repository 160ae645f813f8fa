package pace

// Device is one of an account's computers that asked lately.
type Device struct {
	ID      string
	Waiting bool // has mail that waits
}

// Share is the part of a rate that the device id may use, in recipients a
// minute: an equal part with the others that have mail waiting, itself
// included. An idle one is told what it would have if it had mail. 0 is "no
// rate", so a share is 1 at least: devices beyond the rate share what the
// bucket lets through.
//
// The shares of those that have mail waiting are together no more than the
// rate, once what they were told earlier has run out.
func Share(perMinute int64, id string, active []Device) int64 {
	if perMinute <= 0 {
		return 0
	}
	users := int64(1)
	for _, d := range active {
		if d.Waiting && d.ID != id {
			users++
		}
	}
	return max(perMinute/users, 1)
}
