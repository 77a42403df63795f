// klauspost/reedsolomon as a contestant: Cauchy's matrix, whose parity is ISA-L's, one goroutine,
// and the cache of inverted matrices that it keeps by default. The protocol of turns is that of the
// crate worker beside this folder.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/reedsolomon"
)

// A worker made ready for a case: takes a turn over the shards of all units.
type work func(warm, calls int, shards [][]byte) time.Duration

func main() {
	memory := mapShared(os.Args[1])
	requests := bufio.NewScanner(os.Stdin)
	var ready work
	var shards [][]byte
	for requests.Scan() {
		words := strings.Fields(requests.Text())
		if words[0] == "turn" {
			taken := ready(number(words[1]), number(words[2]), shards)
			fmt.Println(taken.Nanoseconds())
			continue
		}
		k, m, length := number(words[1]), number(words[2]), number(words[3])
		shards = nil
		for _, word := range words[5:] {
			start := number(word)
			shards = append(shards, memory[start:start+length:start+length])
		}
		var err error
		if ready, err = prepare(words[0], k, m, words[4]); err != nil {
			fmt.Println("cannot", err)
		} else {
			fmt.Println("ready")
		}
	}
}

func prepare(operation string, k, m int, level string) (work, error) {
	if level != "best" {
		return nil, fmt.Errorf("its level is not chosen here")
	}
	code, err := reedsolomon.New(k, m, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return nil, err
	}
	lost := map[string]int{"encode": 0, "decode-1": 1, "decode-m": m}[operation]
	return func(warm, calls int, all [][]byte) time.Duration {
		if lost == 0 {
			return timed(warm, calls, func() error { return code.Encode(all) })
		}
		// A unit of length 0 is one that is not there; its capacity is written to.
		shards := make([][]byte, k+m)
		for unit, shard := range all {
			shards[unit] = shard[:0]
			if lost <= unit && unit < lost+k {
				shards[unit] = shard
			}
		}
		return timed(warm, calls, func() error {
			err := code.ReconstructData(shards)
			for unit := range lost {
				shards[unit] = shards[unit][:0]
			}
			return err
		})
	}, nil
}

func timed(warm, calls int, call func() error) time.Duration {
	var start time.Time
	for done := range warm + calls {
		if done == warm {
			start = time.Now()
		}
		if err := call(); err != nil {
			panic(err)
		}
	}
	return time.Since(start)
}

func mapShared(path string) []byte {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	info, err := file.Stat()
	if err != nil {
		panic(err)
	}
	flags := syscall.MAP_SHARED | syscall.MAP_POPULATE
	memory, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		panic(err)
	}
	return memory
}

func number(word string) int {
	value, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return value
}
