//go:build ignore

// Command generate writes relayclient/openapi.yaml from the operations of this
// package, and relayclient's Go code from that.
package main

import (
	"log"
	"os"
	"os/exec"

	"servicesmtp.net/companion/server/api"
)

func main() {
	log.SetFlags(0)
	if err := generate("../../relayclient"); err != nil {
		log.Fatal(err)
	}
}

func generate(dir string) error {
	doc, err := api.Document()
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/openapi.yaml", doc, 0o644); err != nil {
		return err
	}
	code := exec.Command("go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", "generated.go", "openapi.yaml")
	code.Dir, code.Stdout, code.Stderr = dir, os.Stdout, os.Stderr
	return code.Run()
}
