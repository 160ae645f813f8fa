package account

import "math"

// add is a sum of two numbers that are not negative; it stays at the largest
// number instead of going round.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// mul is the same for a product.
func mul(a, b int64) int64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// share is whole × part / of, rounded down, for 0 ≤ part ≤ of, without
// leaving int64 for any whole.
func share(whole, part, of int64) int64 {
	return whole/of*part + whole%of*part/of
}
