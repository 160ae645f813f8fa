package login

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/server/store"
)

// accounts is a table of accounts by name.
type accounts struct {
	mu   sync.Mutex
	rows map[string]store.Account
	err  error
}

func (a *accounts) AccountByName(_ context.Context, name string) (store.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return store.Account{}, a.err
	}
	row, ok := a.rows[name]
	if !ok {
		return store.Account{}, fmt.Errorf("read account: %w", store.ErrNotFound)
	}
	return row, nil
}

func (a *accounts) set(name, password string) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows[name] = store.Account{ID: "id-" + name, Name: name, PasswordHash: string(hash)}
}

func newVerifier(t *testing.T, names ...string) (*Verifier, *accounts) {
	t.Helper()
	a := &accounts{rows: make(map[string]store.Account)}
	for _, n := range names {
		a.set(n, "right-"+n)
	}
	return New(a), a
}

func TestVerify(t *testing.T) {
	v, a := newVerifier(t, "alice", "bob")
	long := strings.Repeat("x", maxPassword)
	a.set("long", long)
	for _, c := range []struct {
		name, user, password string
		fine                 bool
	}{
		{"right", "alice", "right-alice", true},
		{"right again, from memory", "alice", "right-alice", true},
		{"capitals and spaces in the name", " Alice", "right-alice", true},
		{"wrong", "alice", "right-bob", false},
		{"wrong after right", "alice", "right-alicE", false},
		{"empty", "alice", "", false},
		{"unknown", "carol", "right-carol", false},
		{"unknown and empty", "", "", false},
		{"as long as bcrypt looks", "long", long, true},
		{"longer than bcrypt looks", "long", long + "y", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			acc, err := v.Verify(t.Context(), c.user, c.password, "192.0.2.1")
			if c.fine && (err != nil || acc.ID != "id-"+Name(c.user)) {
				t.Errorf("got %v, %v", acc.ID, err)
			}
			if !c.fine && !errors.Is(err, ErrWrong) {
				t.Errorf("got %v, want ErrWrong", err)
			}
		})
	}
}

func TestUnreadableStoreIsNotAWrongPassword(t *testing.T) {
	v, a := newVerifier(t, "alice")
	a.err = errors.New("disk on fire")
	if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); err == nil || errors.Is(err, ErrWrong) {
		t.Errorf("got %v", err)
	}
}

func TestNewPasswordEndsTheOldOneAtOnce(t *testing.T) {
	v, a := newVerifier(t, "alice")
	if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	a.set("alice", "another-one")
	if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); !errors.Is(err, ErrWrong) {
		t.Errorf("old password: %v", err)
	}
	if _, err := v.Verify(t.Context(), "alice", "another-one", "192.0.2.1"); err != nil {
		t.Errorf("new password: %v", err)
	}
}

// TestUnknownNameCostsAHash holds that both answers take the same work: the
// hash that an unknown name is compared with has the cost of real ones.
func TestUnknownNameCostsAHash(t *testing.T) {
	got, err := bcrypt.Cost([]byte(nobody))
	if err != nil || got != cost {
		t.Fatalf("cost %d, %v, want %d", got, err, cost)
	}
	made, err := Hash("a-real-password")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bcrypt.Cost([]byte(made)); err != nil || got != cost {
		t.Errorf("cost %d, %v, want %d", got, err, cost)
	}
}

// TestUnknownNameNeverFits even if somebody knew the password behind nobody.
func TestUnknownNameNeverFits(t *testing.T) {
	v, _ := newVerifier(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("known"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if v.right(string(hash), "known", false) {
		t.Error("an unknown name was let in")
	}
	if !v.right(string(hash), "known", true) {
		t.Error("a known one was not")
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	v, _ := newVerifier(t, "alice", "bob")
	synctest.Test(t, func(t *testing.T) {
		tried := 0
		var throttled *Throttled
		for {
			_, err := v.Verify(t.Context(), "alice", fmt.Sprint("guess", tried), "192.0.2.1")
			if errors.As(err, &throttled) {
				break
			}
			tried++
		}
		if tried != pairBurst {
			t.Errorf("%d guesses were free, want %d", tried, pairBurst)
		}
		if throttled.Retry <= 0 || throttled.Retry > pairEvery {
			t.Errorf("retry after %v", throttled.Retry)
		}
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); !errors.As(err, &throttled) {
			t.Errorf("right password in the middle of guessing: %v", err)
		}
		if _, err := v.Verify(t.Context(), "bob", "right-bob", "192.0.2.1"); err != nil {
			t.Errorf("another name from the same office: %v", err)
		}
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.2"); err != nil {
			t.Errorf("the same name from elsewhere: %v", err)
		}
		time.Sleep(throttled.Retry)
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// TestProvenLoginsPassAGuesser is an office behind one address in which one
// computer has an old password.
func TestProvenLoginsPassAGuesser(t *testing.T) {
	v, _ := newVerifier(t, "alice")
	synctest.Test(t, func(t *testing.T) {
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		for range pairBurst + 5 {
			v.Verify(t.Context(), "alice", "old", "192.0.2.1")
		}
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); err != nil {
			t.Errorf("got %v", err)
		}
		time.Sleep(remembered)
		for range pairBurst + 50 {
			v.Verify(t.Context(), "alice", "old", "192.0.2.1")
		}
		var throttled *Throttled
		if _, err := v.Verify(t.Context(), "alice", "right-alice", "192.0.2.1"); !errors.As(err, &throttled) {
			t.Errorf("after it was forgotten: %v", err)
		}
	})
}

func TestSprayingOverNamesIsSlowedDown(t *testing.T) {
	g := newGuesses()
	now := time.Now()
	for i := range remoteBurst {
		if w := g.wait(fmt.Sprint("user", i), "2001:db8::1", now); w != 0 {
			t.Fatalf("guess %d waits %v", i, w)
		}
		g.wrong(fmt.Sprint("user", i), fmt.Sprintf("2001:db8::%x", i), now)
	}
	if w := g.wait("one-more", "2001:db8::ffff", now); w <= 0 || w > remoteEvery {
		t.Errorf("waits %v", w)
	}
	if w := g.wait("one-more", "2001:db8:0:1::1", now); w != 0 {
		t.Errorf("another network waits %v", w)
	}
}

// TestManyGuessesAtOnce holds that guesses in parallel get no more tries.
func TestManyGuessesAtOnce(t *testing.T) {
	v, _ := newVerifier(t, "alice")
	synctest.Test(t, func(t *testing.T) {
		v.busy = make(chan struct{}, 1) // of this bubble
		var wg sync.WaitGroup
		var mu sync.Mutex
		wrong := 0
		for i := range 100 {
			wg.Go(func() {
				if _, err := v.Verify(context.Background(), "alice", fmt.Sprint(i), "192.0.2.1"); errors.Is(err, ErrWrong) {
					mu.Lock()
					wrong++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if wrong > pairBurst {
			t.Errorf("%d guesses were tried, want at most %d", wrong, pairBurst)
		}
	})
}

func TestTablesAreBounded(t *testing.T) {
	v, _ := newVerifier(t)
	now := time.Now()
	for i := range maxEntries + 10 {
		v.remember(v.sum(fmt.Sprint(i), "p", "h"), now)
		v.guesses.wrong(fmt.Sprint(i), "192.0.2.1", now)
	}
	if len(v.verified) > maxEntries || len(v.guesses.pairs) > maxEntries {
		t.Errorf("%d verified, %d pairs", len(v.verified), len(v.guesses.pairs))
	}
}

// TestSumsDoNotCollide holds that name and password cannot be shifted into
// each other, and that the sum is not the password.
func TestSumsDoNotCollide(t *testing.T) {
	v, _ := newVerifier(t)
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringN(0, 4, 8), 6, 6).Draw(rt, "parts")
		same := parts[0] == parts[3] && parts[1] == parts[4] && parts[2] == parts[5]
		if (v.sum(parts[0], parts[1], parts[2]) == v.sum(parts[3], parts[4], parts[5])) != same {
			rt.Fatalf("%q", parts)
		}
	})
	other, _ := newVerifier(t)
	if v.sum("a", "b", "c") == other.sum("a", "b", "c") {
		t.Error("two processes share a key")
	}
	if sum := v.sum("alice", "secret-password", "h"); bytes.Contains(sum[:], []byte("secret")) {
		t.Error("the password shows")
	}
}

func TestNewPassword(t *testing.T) {
	seen := make(map[string]bool)
	letters := make(map[rune]int)
	for range 2000 {
		p := NewPassword()
		groups := strings.Split(p, "-")
		if len(groups) != 7 || len(p) != 34 || seen[p] {
			t.Fatalf("password %q", p)
		}
		seen[p] = true
		for _, r := range strings.Join(groups, "") {
			letters[r]++
		}
	}
	for _, r := range alphabet {
		if n := letters[r]; n < 1500 || n > 2150 { // 2000·28/31 = 1806, seven deviations either way
			t.Errorf("%c came %d times", r, n)
		}
		delete(letters, r)
	}
	if len(letters) != 0 || strings.ContainsAny(alphabet, "0oO1lIi") {
		t.Errorf("unwanted letters: %v", letters)
	}
	if _, err := Hash(NewPassword()); err != nil {
		t.Error(err)
	}
}

func TestHashRefusesWhatBcryptWouldCut(t *testing.T) {
	for _, p := range []string{"short", strings.Repeat("ü", 37)} {
		if _, err := Hash(p); err == nil {
			t.Errorf("%q was accepted", p)
		}
	}
}

func TestTokens(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || len(a) != len("sbt_")+43 {
		t.Errorf("tokens %q, %q", a, b)
	}
	if h, err := hex.DecodeString(TokenHash(a)); err != nil || len(h) != 32 || TokenHash(a) == TokenHash(b) {
		t.Errorf("hash %q", TokenHash(a))
	}
}
