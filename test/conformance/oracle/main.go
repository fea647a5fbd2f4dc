// Command oracle answers, for one JSON object a line on standard input, what Ollama's own packages make of a
// Modelfile or a template. The tests compare with it; the product never runs it.
//
// Every answer is one JSON line in the order of the questions and carries the question's "id" if it had one.
//
//	{"op": "version"}                              -> {"ok", "ollama", "go", "unicode"}
//	{"op": "parse", "text" or "base64", "dir"?}    -> {"ok": true, "commands", "request" or "requestError"}
//	                                                  or {"ok": false, "error", "line"?}
//	{"op": "template", "text", "values"?: [...]}   -> {"ok": true, "vars", "rendered": [...]}
//	                                                  or {"ok": false, "error"}
//	{"op": "unquote", "text"} , {"op": "quote", "text"}: strconv's view of a string constant
//
// A panic anywhere is caught and reported as "panic"; work beyond the time limit as "timeout".
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/parser"
	"github.com/ollama/ollama/template"
)

// ollamaVersion is set by the linker: see scripts/go/buildOracle.mjs.
var ollamaVersion = "unknown"

// outputLimit ends a template that would fill the memory.
const outputLimit = 64 << 20

type question struct {
	ID      json.RawMessage   `json:"id"`
	Op      string            `json:"op"`
	Text    string            `json:"text"`
	Base64  *string           `json:"base64"`
	Dir     string            `json:"dir"`
	Values  []json.RawMessage `json:"values"`
	Seconds float64           `json:"seconds"`
}

// values mirrors template.Values in the spelling of the command line's conversation files.
type values struct {
	Messages   []api.Message `json:"messages"`
	Tools      api.Tools     `json:"tools"`
	Prompt     string        `json:"prompt"`
	Suffix     string        `json:"suffix"`
	Think      bool          `json:"think"`
	ThinkLevel string        `json:"thinkLevel"`
	IsThinkSet bool          `json:"isThinkSet"`
}

type answer map[string]any

func main() {
	// CreateRequest prints warnings to os.Stdout: keep the real one for answers.
	out := bufio.NewWriter(os.Stdout)
	os.Stdout = os.Stderr
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			write(out, handle(line))
			if in.Buffered() == 0 {
				out.Flush()
			}
		}
		if err != nil {
			out.Flush()
			return
		}
	}
}

func write(out *bufio.Writer, a answer) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a); err != nil {
		fmt.Fprintf(out, "{\"ok\":false,\"failure\":%q}\n", err.Error())
	}
}

func handle(line []byte) answer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{"ok": false, "failure": "question: " + err.Error()}
	}
	limit := 20 * time.Second
	if q.Seconds > 0 {
		limit = time.Duration(q.Seconds * float64(time.Second))
	}
	result := within(limit, func() answer { return dispatch(&q) })
	if q.ID != nil {
		result["id"] = q.ID
	}
	return result
}

func dispatch(q *question) answer {
	switch q.Op {
	case "version":
		return answer{"ok": true, "ollama": ollamaVersion, "go": runtime.Version(), "unicode": unicode.Version}
	case "parse":
		return parseModelfile(q)
	case "template":
		return renderTemplate(q)
	case "quote":
		return answer{"ok": true, "text": strconv.Quote(q.Text), "ascii": strconv.QuoteToASCII(q.Text)}
	case "unquote":
		s, err := strconv.Unquote(q.Text)
		if err != nil {
			return answer{"ok": false, "error": err.Error()}
		}
		return text(s)
	default:
		return answer{"ok": false, "failure": "unknown op " + q.Op}
	}
}

// within runs f, turns a panic into an answer and gives up after the limit (the goroutine is then abandoned).
func within(limit time.Duration, f func() answer) answer {
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- answer{"ok": false, "panic": fmt.Sprint(r)}
			}
		}()
		done <- f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-done:
		return a
	case <-timer.C:
		return answer{"ok": false, "timeout": true}
	}
}

// text gives a string that need not be UTF-8: base64 is there only when JSON could not hold it.
func text(s string) answer {
	a := answer{"ok": true, "text": s}
	if !utf8.ValidString(s) {
		a["base64"] = base64.StdEncoding.EncodeToString([]byte(s))
	}
	return a
}

func parseModelfile(q *question) answer {
	source := []byte(q.Text)
	if q.Base64 != nil {
		decoded, err := base64.StdEncoding.DecodeString(*q.Base64)
		if err != nil {
			return answer{"ok": false, "failure": "base64: " + err.Error()}
		}
		source = decoded
	}
	file, err := parser.ParseFile(bytes.NewReader(source))
	if err != nil {
		a := answer{"ok": false, "error": err.Error()}
		var located *parser.ParserError
		if errors.As(err, &located) && located.LineNumber > 0 {
			a["line"] = located.LineNumber
		}
		return a
	}
	commands := make([]map[string]string, 0, len(file.Commands))
	for _, c := range file.Commands {
		commands = append(commands, map[string]string{"name": c.Name, "args": c.Args})
	}
	a := answer{"ok": true, "commands": commands}
	request := within(20*time.Second, func() answer {
		request, err := file.CreateRequest(q.Dir)
		if err != nil {
			return answer{"requestError": err.Error()}
		}
		marshalled, err := json.Marshal(request)
		if err != nil {
			return answer{"requestError": err.Error()}
		}
		return answer{"request": json.RawMessage(marshalled)}
	})
	for _, key := range []string{"request", "requestError"} {
		if v, ok := request[key]; ok {
			a[key] = v
		}
	}
	if v, ok := request["panic"]; ok {
		a["requestPanic"] = v
	}
	return a
}

type limitedBuffer struct{ bytes.Buffer }

var errOutputLimit = errors.New("oracle: output limit")

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > outputLimit {
		return 0, errOutputLimit
	}
	return b.Buffer.Write(p)
}

func renderTemplate(q *question) answer {
	parsed, err := template.Parse(q.Text)
	if err != nil {
		return answer{"ok": false, "error": err.Error()}
	}
	vars, err := parsed.Vars()
	if err != nil {
		return answer{"ok": false, "error": err.Error()}
	}
	rendered := make([]answer, 0, len(q.Values))
	for _, raw := range q.Values {
		rendered = append(rendered, render(q, raw))
	}
	return answer{"ok": true, "vars": vars, "rendered": rendered}
}

// render decodes the values anew and parses anew for every run: Execute writes into the messages that it is
// given, and a server that answers one request must not be influenced by another.
func render(q *question, raw json.RawMessage) answer {
	limit := 10 * time.Second
	if q.Seconds > 0 {
		limit = time.Duration(q.Seconds * float64(time.Second))
	}
	return within(limit, func() answer {
		var v values
		if err := json.Unmarshal(raw, &v); err != nil {
			return answer{"ok": false, "valuesError": err.Error()}
		}
		parsed, err := template.Parse(q.Text)
		if err != nil {
			return answer{"ok": false, "failure": "second parse: " + err.Error()}
		}
		var b limitedBuffer
		err = parsed.Execute(io.Writer(&b), template.Values{
			Messages: v.Messages, Tools: v.Tools, Prompt: v.Prompt, Suffix: v.Suffix,
			Think: v.Think, ThinkLevel: v.ThinkLevel, IsThinkSet: v.IsThinkSet,
		})
		if err != nil {
			return answer{"ok": false, "error": err.Error()}
		}
		return text(b.String())
	})
}
