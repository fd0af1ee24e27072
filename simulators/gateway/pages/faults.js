// Switches faults: asks the simulator, then shows what it answered.
"use strict";

const outcome = document.getElementById("outcome");

async function turn(button) {
  const name = button.dataset.fault;
  const field = document.getElementById(`value-${name}`);
  const body = { on: button.getAttribute("aria-checked") !== "true", value: Number(field?.value ?? 0) };
  button.disabled = true;
  try {
    const answer = await fetch(`/_sim/faults/${name}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5000),
    });
    if (!answer.ok) throw new Error(`refused with ${answer.status}`);
    const fault = await answer.json();
    button.setAttribute("aria-checked", String(fault.on));
    button.textContent = fault.on ? "On" : "Off";
    outcome.textContent = `${name} is ${fault.on ? "on" : "off"}.`;
  } catch (error) {
    outcome.textContent = `${name} was not switched: ${error.message}.`;
  }
  button.disabled = false;
  button.focus();
}

for (const button of document.querySelectorAll("[data-fault]")) {
  button.addEventListener("click", () => turn(button));
}
