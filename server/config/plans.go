package config

// Plans is what the relay sells.
type Plans struct {
	Catalogue string `toml:"catalogue"` // file; "": the one that the program carries
}
