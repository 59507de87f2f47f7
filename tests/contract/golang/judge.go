// A second reader of a published log, made of Go's own sumdb: it shares no line with the gateway.
//
//	judge FOLDER VKEY OLD [cosigned=WITNESS]… [promised=PROOF=HASH]… INDEX=LEAF…
//
// FOLDER is what the gateway publishes, OLD an older checkpoint file of the same log. Both checkpoints are opened with
// the key, the newer is proven to begin with the older, and every INDEX is proven to hold the hash of its LEAF. WITNESS
// is the key of a witness that must have cosigned the checkpoint of FOLDER. PROOF is a C2SP tlog-proof that must prove,
// alone, that a leaf of this HASH (base64) is in a log with this key.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
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

// witness verifies a cosignature (C2SP tlog-cosignature, Ed25519), which sumdb does not know by itself.
type witness struct {
	name string
	key  []byte // 0x04 and the public key
}

func newWitness(vkey string) witness {
	parts := strings.SplitN(vkey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	return witness{parts[0], key}
}

func (w witness) Name() string { return w.name }

func (w witness) KeyHash() uint32 {
	hash := sha256.Sum256(append([]byte(w.name+"\n"), w.key...))
	return binary.BigEndian.Uint32(hash[:])
}

func (w witness) Verify(msg, sig []byte) bool {
	if len(w.key) != 33 || w.key[0] != 4 || len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	said := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(w.key[1:], []byte(said), sig[8:])
}

// head opens a checkpoint; the three lines are read by hand, since sumdb's own tree heads have another first line.
func head(path string, keys ...note.Verifier) tlog.Tree {
	signed, err := os.ReadFile(path)
	must(err)
	return tree(signed, keys...)
}

func tree(signed []byte, keys ...note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(keys...))
	must(err)
	if len(opened.Sigs) != len(keys) {
		must(fmt.Errorf("signed by %d of %d keys", len(opened.Sigs), len(keys)))
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	hash, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: hash}
}

// promised reads a proof by hand (C2SP tlog-proof), since sumdb does not know the format, and lets sumdb check it.
func promised(path string, hash tlog.Hash, key note.Verifier) {
	said, err := os.ReadFile(path)
	must(err)
	above, signed, _ := strings.Cut(string(said), "\n\n")
	lines := strings.Split(above, "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		must(fmt.Errorf("not a proof without its leaf"))
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		one, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, one)
	}
	now := tree([]byte(signed), key)
	must(tlog.CheckRecord(proof, now.N, now.Hash, index, hash))
}

func main() {
	log := folder(os.Args[1])
	key, err := note.NewVerifier(os.Args[2])
	must(err)
	keys, told := []note.Verifier{key}, os.Args[4:]
	for len(told) > 0 && strings.HasPrefix(told[0], "cosigned=") {
		keys, told = append(keys, newWitness(strings.TrimPrefix(told[0], "cosigned="))), told[1:]
	}
	promises := 0
	for ; len(told) > 0 && strings.HasPrefix(told[0], "promised="); told = told[1:] {
		path, hash, _ := strings.Cut(strings.TrimPrefix(told[0], "promised="), "=")
		parsed, err := tlog.ParseHash(hash)
		must(err)
		promised(path, parsed, key)
		promises++
	}
	now, old := head(filepath.Join(string(log), "checkpoint"), keys...), head(os.Args[3], key)
	hashes := tlog.TileHashReader(now, log)

	root, err := tlog.TreeHash(now.N, hashes)
	must(err)
	if root != now.Hash {
		must(fmt.Errorf("the tiles give another root"))
	}
	grown, err := tlog.ProveTree(now.N, old.N, hashes)
	must(err)
	must(tlog.CheckTree(grown, now.N, now.Hash, old.N, old.Hash))

	for _, text := range told {
		index, leaf, _ := strings.Cut(text, "=")
		n, err := strconv.ParseInt(index, 10, 64)
		must(err)
		proof, err := tlog.ProveRecord(now.N, n, hashes)
		must(err)
		must(tlog.CheckRecord(proof, now.N, now.Hash, n, tlog.RecordHash([]byte(leaf))))
	}
	fmt.Printf("%d leaves, root %s, begins with %d, %d leaves proven, %d witnesses, %d promises kept\n",
		now.N, now.Hash, old.N, len(told), len(keys)-1, promises)
}
