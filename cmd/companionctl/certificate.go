package main

import (
	"errors"
	"fmt"
	"os"

	"servicesmtp.net/companion/app/control"
)

type certificateCommand struct {
	Out string `short:"o" name:"out" placeholder:"FILE" help:"Write it to a file instead."`
}

// Run hands out the authority that mail programs must trust to use encryption.
func (cmd *certificateCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		cert, err := c.Certificate(inv.ctx)
		if err != nil {
			return err
		}
		if cmd.Out == "" {
			fmt.Fprint(inv.out, cert.PEM)
			return nil
		}
		// Everybody may read it: it holds no secret.
		if err := os.WriteFile(cmd.Out, []byte(cert.PEM), 0o644); err != nil {
			var failed *os.PathError
			if errors.As(err, &failed) {
				err = failed.Err
			}
			return fmt.Errorf("the certificate cannot be written to %s: %w", cmd.Out, err)
		}
		inv.line("Written to %s.", clean(cmd.Out))
		inv.line("Add it to the authorities that your mail program trusts. It vouches for this computer only.")
		return nil
	})
}
