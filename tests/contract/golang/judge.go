// A second reader of a published log, made of Go's own sumdb: it shares no line with the gateway.
//
//	judge FOLDER VKEY OLD INDEX…
//
// FOLDER is what the gateway publishes, OLD an older checkpoint file of the same log. Both checkpoints are opened with
// the key, the newer is proven to begin with the older, and every INDEX is proven to hold the leaf hash of its tile.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (folder) Height() int                     { return 8 }
func (folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := strings.TrimPrefix(tile.Path(), "tile/8/") // C2SP leaves the height out
		data, err := os.ReadFile(filepath.Join(string(f), "tile", filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func must(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

// head opens a checkpoint; the three lines are read by hand, since sumdb's own tree heads have another first line.
func head(path string, keys note.Verifiers) tlog.Tree {
	signed, err := os.ReadFile(path)
	must(err)
	opened, err := note.Open(signed, keys)
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	hash, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: hash}
}

func main() {
	log := folder(os.Args[1])
	key, err := note.NewVerifier(os.Args[2])
	must(err)
	keys := note.VerifierList(key)
	now, old := head(filepath.Join(string(log), "checkpoint"), keys), head(os.Args[3], keys)
	hashes := tlog.TileHashReader(now, log)

	root, err := tlog.TreeHash(now.N, hashes)
	must(err)
	if root != now.Hash {
		must(fmt.Errorf("the tiles give another root"))
	}
	grown, err := tlog.ProveTree(now.N, old.N, hashes)
	must(err)
	must(tlog.CheckTree(grown, now.N, now.Hash, old.N, old.Hash))

	for _, text := range os.Args[4:] {
		index, leaf, _ := strings.Cut(text, "=")
		n, err := strconv.ParseInt(index, 10, 64)
		must(err)
		proof, err := tlog.ProveRecord(now.N, n, hashes)
		must(err)
		must(tlog.CheckRecord(proof, now.N, now.Hash, n, tlog.RecordHash([]byte(leaf))))
	}
	fmt.Printf("%d leaves, root %s, begins with %d, %d leaves proven\n", now.N, now.Hash, old.N, len(os.Args)-4)
}
