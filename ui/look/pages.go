package look

// pageSize is how many rows are asked for at once.
const pageSize = 100

const (
	// maxPages bounds what is kept: some screens around the place that is
	// looked at, so that scrolling back a little asks nobody.
	maxPages = 12
	// maxAsked bounds the questions under way. Who drags the bar through a
	// hundred thousand rows passes a thousand pages; only those in sight when
	// an answer comes are asked for next.
	maxAsked = 2
)

// pages holds some pages of a long list whose rows live elsewhere. Every
// question belongs to a generation; what answers an older one is dropped.
type pages[T any] struct {
	gen   int
	total int // rows in all; -1: not known yet
	held  map[int]*page[T]
	asked map[int]bool
	now   int // counts uses, to find the page not used for longest
}

type page[T any] struct {
	rows []T
	gen  int
	used int
}

func newPages[T any]() *pages[T] {
	return &pages[T]{total: -1, held: map[int]*page[T]{}, asked: map[int]bool{}}
}

// at returns row i if it is held, though it may be of an older generation.
func (p *pages[T]) at(i int) (row T, ok bool) {
	held := p.held[i/pageSize]
	if held == nil || i%pageSize >= len(held.rows) {
		return row, false
	}
	p.now++
	held.used = p.now
	return held.rows[i%pageSize], true
}

// ask tells whether the page of row i has to be asked for now, and notes that
// it is.
func (p *pages[T]) ask(i int) bool {
	n := i / pageSize
	if held := p.held[n]; held != nil && held.gen == p.gen || p.asked[n] || len(p.asked) >= maxAsked {
		return false
	}
	p.asked[n] = true
	return true
}

// put takes an answer, and tells whether it was wanted.
func (p *pages[T]) put(gen, offset int, rows []T, total int) bool {
	n := offset / pageSize
	if gen != p.gen || !p.asked[n] {
		return false
	}
	delete(p.asked, n)
	p.total = total
	p.now++
	p.held[n] = &page[T]{rows: rows, gen: gen, used: p.now}
	for len(p.held) > maxPages {
		oldest := -1
		for i, held := range p.held {
			if i != n && (oldest < 0 || held.used < p.held[oldest].used) {
				oldest = i
			}
		}
		delete(p.held, oldest)
	}
	return true
}

// fail notes that a page could not be had. It is not asked for again in this
// generation: a failure that repeats must not become a loop.
func (p *pages[T]) fail(gen, offset int) bool {
	n := offset / pageSize
	if gen != p.gen || !p.asked[n] {
		return false
	}
	delete(p.asked, n)
	if held := p.held[n]; held != nil {
		held.gen = gen // old rows are better than none
	} else {
		p.held[n] = &page[T]{gen: gen}
	}
	return true
}

// renew begins a generation of the same list: what is held stays in sight
// until fresh rows replace it.
func (p *pages[T]) renew() {
	p.gen++
	clear(p.asked)
}

// forget begins a generation of another list.
func (p *pages[T]) forget() {
	p.renew()
	p.total = -1
	clear(p.held)
}
