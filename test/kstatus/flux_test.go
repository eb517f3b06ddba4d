package kstatus

import (
	"os"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Argo CD's word for a state, which states.jsonl has, in Flux's. Flux only knows suspension of its own objects.
var wordOfFlux = map[string]string{"Healthy": "Current", "Degraded": "Failed", "Progressing": "InProgress", "Suspended": "InProgress"}

// The expressions of a kind in spec.healthCheckExprs.
type healthCheck struct{ Kind, Current, Failed string }

func TestFluxUnderstandsEveryStateOfAGate(t *testing.T) {
	checks := healthChecks(t)
	judged := map[string]int{}
	for _, each := range states(t) {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(each.Object); err != nil {
			t.Fatal(err)
		}
		check, hasGate := checks[object.GetKind()]
		if !hasGate {
			continue
		}
		judged[object.GetKind()]++
		t.Run(each.Name, func(t *testing.T) {
			if found, expected := judge(t, check, object), wordOfFlux[each.Health]; found != expected {
				t.Errorf("Flux says %s, and it is %s", found, expected)
			}
		})
	}
	for kind := range checks {
		if judged[kind] < 10 {
			t.Errorf("states.jsonl holds %d states of %s", judged[kind], kind)
		}
	}
}

func healthChecks(t *testing.T) map[string]healthCheck {
	text, err := os.ReadFile("../../examples/plan/flux/base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Patches []struct{ Patch string } }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	var operations []struct{ Value []healthCheck }
	if err := yaml.Unmarshal([]byte(kustomization.Patches[0].Patch), &operations); err != nil {
		t.Fatal(err)
	}
	all := map[string]healthCheck{}
	for _, check := range operations[0].Value {
		all[check.Kind] = check
	}
	if len(all) != 2 {
		t.Fatalf("%d kinds have health expressions", len(all))
	}
	return all
}

// judge decides in the order of Flux (fluxcd/pkg/runtime/cel, status_evaluator.go), whose package would bring all of client-go.
func judge(t *testing.T, check healthCheck, object *unstructured.Unstructured) string {
	observed, hasObserved, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if err != nil {
		t.Fatal(err)
	}
	if hasObserved && observed != object.GetGeneration() {
		return "InProgress"
	}
	if holds(t, check.Failed, object) {
		return "Failed"
	}
	if holds(t, check.Current, object) {
		return "Current"
	}
	return "InProgress"
}

// holds evaluates an expression with Flux's options: parsed, not checked for types.
func holds(t *testing.T, expression string, object *unstructured.Unstructured) bool {
	environment, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		t.Fatal(err)
	}
	parsed, issues := environment.Parse(expression)
	if issues != nil {
		t.Fatal(issues.String())
	}
	program, err := environment.Program(parsed)
	if err != nil {
		t.Fatal(err)
	}
	result, _, err := program.Eval(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	value, isBool := result.Value().(bool)
	if !isBool {
		t.Fatalf("%s is %v", expression, result.Value())
	}
	return value
}
