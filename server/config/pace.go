package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxRate is the fastest pace that can be asked for, in recipients a minute.
const maxRate = 1_000_000

func (l Limits) checkPace() (errs []error) {
	if n := l.RecipientsPerMinute; n < 0 || n > maxRate {
		errs = append(errs, fmt.Errorf("limits.recipients_per_minute: %d cannot be: write 1 to %d, or 0 for no limit", n, maxRate))
	}
	for _, domain := range slices.Sorted(maps.Keys(l.PerProvider)) {
		if domain == "" || domain != strings.ToLower(domain) || strings.ContainsAny(domain, "@ \t") {
			errs = append(errs, fmt.Errorf("limits.per_provider: %q is not a domain: write for example {\"gmail.com\" = 20}", domain))
		}
		if n := l.PerProvider[domain]; n < 1 || n > maxRate {
			errs = append(errs, fmt.Errorf("limits.per_provider: %d for %q cannot be: write 1 to %d recipients a minute", n, domain, maxRate))
		}
	}
	return errs
}
