package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// tagged are the answers that companions ask for again and again.
var tagged = map[string]bool{"/v1/account": true, "/v1/quota": true, "/v1/policy": true, "/v1/endpoints": true,
	"/v1/orders": true, "/v1/bills": true, "/v1/credits": true}

// isTagged says that the answer at a path has a tag; those of partners all do.
func isTagged(path string) bool {
	return tagged[path] || path == "/v1/partner/accounts" || strings.HasPrefix(path, "/v1/partner/accounts/")
}

// withTags gives some answers an ETag, and answers 304 to who has them already
// (RFC 9110 §13.1.2). The tag is a hash of the answer: what is computed from
// several tables has no version of its own.
func withTags(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !isTagged(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		b := &buffered{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(b, r)
		if b.status == http.StatusOK {
			sum := sha256.Sum256(b.body.Bytes())
			tag := `"` + hex.EncodeToString(sum[:12]) + `"`
			w.Header().Set("ETag", tag)
			w.Header().Set("Cache-Control", "private, no-cache") // may be kept, must be asked for
			if matches(r.Header.Values("If-None-Match"), tag) {
				w.Header().Del("Content-Type")
				w.Header().Del("Content-Length")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.WriteHeader(b.status)
		_, _ = w.Write(b.body.Bytes()) // the caller may be gone
	})
}

// matches is the weak comparison of RFC 9110 §8.8.3.2.
func matches(fields []string, tag string) bool {
	for one := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// buffered keeps an answer back.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header         { return b.header }
func (b *buffered) WriteHeader(status int)      { b.status = status }
func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

// methods are asked for, to tell a wrong method from a wrong path.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// fallback answers what no operation matches, as a problem.
func fallback(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range methods {
			probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/" {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) == 0 {
			writeProblem(w, http.StatusNotFound, "There is no such call.")
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", ")) // RFC 9110 §15.5.6
		writeProblem(w, http.StatusMethodNotAllowed, "This call is made with "+strings.Join(allowed, " or ")+".")
	}
}

// One address may ask this often: an office behind one address has many
// companions.
const (
	addressPerSecond = 50
	addressBurst     = 400
)

// holdBack refuses addresses that ask too often, before anything is looked up.
func (s *Server) holdBack(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := s.addresses.wait(prefix(r.RemoteAddr), time.Now()); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
			writeProblem(w, http.StatusTooManyRequests, "Too many requests: wait as long as Retry-After says.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// prefix is what one customer cannot change at will: an IPv6 network (RFC 6177).
func prefix(remote string) string {
	host := hostOf(remote)
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return p.String()
}

// hostOf is an address without its port.
func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

func newLimitsOf(perSecond rate.Limit, burst int) *limits {
	return &limits{devices: make(map[string]*rate.Limiter), perSecond: perSecond, burst: burst}
}

// requestID names one request in the log and in its answer. What a caller
// sends is not taken: it would end up in the log.
func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
