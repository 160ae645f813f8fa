package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/accept"
)

// submittedOut answers a submission. The header is there where a batch is to
// be submitted again for the account's pace.
type submittedOut struct {
	RetryAfter string `header:"Retry-After" doc:"Whole seconds, where the account sends faster than it may: submit all batches again then; those that were accepted are only answered again"`
	Body       Submitted
}

// paceOf tells after how many whole seconds, at least one, a batch that the
// account's pace kept out may be accepted.
func paceOf(err error) (seconds int64, slow bool) {
	var wait time.Duration
	if late, ok := errors.AsType[*accept.SlowError](err); ok {
		wait = late.Retry
	} else if early, ok := errors.AsType[*accept.PaceError](err); ok {
		wait = early.Retry
	} else {
		return 0, false
	}
	return max(int64((wait+time.Second-1)/time.Second), 1), true
}

// paced makes an answer in which the pace keeps everything out a 429, with a
// problem for each batch, and says in any other when to go on.
func paced(s Submitted) (*submittedOut, error) {
	var soonest int64
	var problems []error
	for i, b := range s.Batches {
		if b.Problem == "" {
			continue
		}
		if soonest == 0 || b.Retry < soonest {
			soonest = b.Retry
		}
		problems = append(problems, &huma.ErrorDetail{Message: b.Problem, Location: fmt.Sprintf("body.batches[%d]", i), Value: b.Retry})
	}
	if soonest == 0 {
		return &submittedOut{Body: s}, nil
	}
	after := strconv.FormatInt(soonest, 10)
	if len(problems) == len(s.Batches) {
		return nil, huma.ErrorWithHeaders(huma.Error429TooManyRequests("The account sends faster than it may: submit the batches again as Retry-After says.", problems...),
			http.Header{"Retry-After": {after}})
	}
	return &submittedOut{RetryAfter: after, Body: s}, nil
}
