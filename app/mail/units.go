package mail

import "servicesmtp.net/companion/internal/units"

// ByteSize is a number of bytes, in decimal units.
type ByteSize = units.ByteSize

// Rate is at most N things in any span of Per.
type Rate = units.Rate
