// Runs FerretDB, a server that speaks MongoDB's wire protocol over SQLite, for tests on machines without mongod.
// Its one argument is the directory of the database. Prints the address on one line, then serves until it is told to end.
//
// FerretDB reads a document and writes it back in two steps, so that two updates at once may both succeed where MongoDB
// would make them one after the other. A gate in front of it lets one writing command through at a time: that gives back
// the atomicity of single-document writes that every MongoDB promises.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

const loopback = "127.0.0.1:0"

// A message begins with its own length (int32, little-endian).
func readMessage(from io.Reader) ([]byte, error) {
	header := make([]byte, 4)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	message := make([]byte, binary.LittleEndian.Uint32(header))
	copy(message, header)
	_, err := io.ReadFull(from, message[4:])
	return message, err
}

var writes = map[string]bool{"insert": true, "update": true, "delete": true, "findAndModify": true}

// The name of the command in an OP_MSG: a header of 16 bytes, flags, the kind of the first section (0, the command),
// then a BSON document, whose first key is the name.
func commandName(message []byte) string {
	const opMsg, kindAt, nameAt = 2013, 20, 26
	if len(message) <= nameAt || binary.LittleEndian.Uint32(message[12:]) != opMsg || message[kindAt] != 0 {
		return ""
	}
	name, _, _ := strings.Cut(string(message[nameAt:]), "\x00")
	return name
}

// Sends one request on and waits for its answer; while it is a write, no other one is under way.
func exchange(gate *sync.Mutex, server net.Conn, request []byte) ([]byte, error) {
	if writes[commandName(request)] {
		gate.Lock()
		defer gate.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return readMessage(server)
}

func serve(gate *sync.Mutex, client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		answer, err := exchange(gate, server, request)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func main() {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: loopback},
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(os.Args[1]) + "/",
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		log.Fatal(err)
	}
	address := strings.Trim(strings.TrimPrefix(server.MongoDBURI(), "mongodb://"), "/")
	door, err := net.Listen("tcp", loopback)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		gate := &sync.Mutex{}
		for {
			client, err := door.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go serve(gate, client, address)
		}
	}()
	fmt.Printf("mongodb://%s/\n", door.Addr())
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
