package look

import "testing"

func TestPagesAskOnce(t *testing.T) {
	p := newPages[int]()
	if !p.ask(5) || p.ask(99) {
		t.Error("one page is asked for once, whichever of its rows wants it")
	}
	if !p.ask(100) || p.ask(200) {
		t.Errorf("at most %d questions are under way", maxAsked)
	}
	if !p.put(0, 0, []int{1, 2, 3}, 3) {
		t.Error("an answer that was asked for must be taken")
	}
	if p.ask(5) {
		t.Error("a page that is held is not asked for again, short as it may be")
	}
	if !p.ask(200) {
		t.Error("an answer makes room for the next question")
	}
}

func TestPagesDropWhatIsStale(t *testing.T) {
	p := newPages[int]()
	p.ask(0)
	p.renew()
	if p.put(0, 0, []int{1}, 1) {
		t.Error("an answer to the generation before must be dropped")
	}
	if p.put(1, 0, []int{1}, 1) {
		t.Error("an answer that nobody asked for must be dropped")
	}
	p.ask(0)
	if !p.put(1, 0, []int{1}, 1) {
		t.Error("an answer to this generation must be taken")
	}
	p.renew()
	if row, ok := p.at(0); !ok || row != 1 {
		t.Error("old rows stay in sight until they are renewed")
	}
	if !p.ask(0) {
		t.Error("old rows are asked for again")
	}
	p.forget()
	if _, ok := p.at(0); ok || p.total != -1 {
		t.Error("another list starts from nothing")
	}
}

func TestPagesKeepTheLastUsed(t *testing.T) {
	p := newPages[int]()
	for n := range maxPages + 5 {
		p.at(0) // in use all the time
		p.ask(n * pageSize)
		p.put(0, n*pageSize, []int{n}, 1e6)
	}
	if len(p.held) != maxPages {
		t.Errorf("got %d pages held, want %d", len(p.held), maxPages)
	}
	for n, want := range map[int]bool{0: true, 1: false, maxPages + 4: true} {
		if _, got := p.at(n * pageSize); got != want {
			t.Errorf("page %d held: got %v, want %v", n, got, want)
		}
	}
}

func TestPagesDoNotRepeatAFailure(t *testing.T) {
	p := newPages[int]()
	p.ask(0)
	if !p.fail(0, 0) || p.ask(0) {
		t.Error("a page that failed is not asked for again in its generation")
	}
	p.renew()
	if !p.ask(0) {
		t.Error("it is asked for in the next")
	}
	p.put(1, 0, []int{7}, 1)
	p.renew()
	p.ask(0)
	p.fail(2, 0)
	if row, ok := p.at(0); !ok || row != 7 {
		t.Error("old rows are better than none")
	}
	if p.fail(1, 0) {
		t.Error("a failure of an older generation must be dropped")
	}
}
