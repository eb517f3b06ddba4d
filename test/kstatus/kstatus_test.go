// Package kstatus judges every state of states.jsonl by the library that Flux and Helm wait by, and by the Lua that Argo CD is given.
package kstatus

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// An object as it stands in a cluster, and what a wait must take it for.
type state struct {
	Name   string          `json:"name"`
	Means  string          `json:"means"`
	Health string          `json:"health"`
	Object json.RawMessage `json:"object"`
}

func states(t *testing.T) []state {
	text, err := os.ReadFile("generated/states.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) < 60 {
		t.Fatalf("states.jsonl holds %d states", len(lines))
	}
	all := make([]state, len(lines))
	for number, line := range lines {
		if err := json.Unmarshal(line, &all[number]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestKstatusUnderstandsEveryState(t *testing.T) {
	for _, each := range states(t) {
		t.Run(each.Name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			if err := object.UnmarshalJSON(each.Object); err != nil {
				t.Fatal(err)
			}
			result, err := status.Compute(object)
			if err != nil {
				t.Fatal(err)
			}
			if string(result.Status) != each.Means {
				t.Errorf("kstatus says %s (%s), and it means %s", result.Status, result.Message, each.Means)
			}
		})
	}
}

func TestArgoUnderstandsEveryState(t *testing.T) {
	script := healthScript(t)
	for _, each := range states(t) {
		t.Run(each.Name, func(t *testing.T) {
			var object any
			if err := json.Unmarshal(each.Object, &object); err != nil {
				t.Fatal(err)
			}
			machine := lua.NewState()
			defer machine.Close()
			machine.SetGlobal("obj", valueOf(machine, object))
			if err := machine.DoString(script); err != nil {
				t.Fatal(err)
			}
			health, isTable := machine.Get(-1).(*lua.LTable)
			if !isTable {
				t.Fatalf("the script returned %s", machine.Get(-1).Type())
			}
			if found := lua.LVAsString(health.RawGetString("status")); found != each.Health {
				t.Errorf("Argo CD says %s (%s), and it is %s", found, health.RawGetString("message"), each.Health)
			}
			if health.RawGetString("message").Type() != lua.LTString {
				t.Error("the script returned no message")
			}
		})
	}
}

func healthScript(t *testing.T) string {
	text, err := os.ReadFile("../../examples/plan/argocd/health.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Data map[string]string }
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	var rules map[string]map[string]string
	if err := yaml.Unmarshal([]byte(config.Data["resource.customizations"]), &rules); err != nil {
		t.Fatal(err)
	}
	return rules["rune.dev/*"]["health.lua"]
}

// valueOf is JSON as Lua has it.
func valueOf(machine *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := machine.NewTable()
		for _, each := range value {
			table.Append(valueOf(machine, each))
		}
		return table
	case map[string]any:
		table := machine.NewTable()
		for key, each := range value {
			table.RawSetString(key, valueOf(machine, each))
		}
		return table
	default:
		return lua.LNil
	}
}
