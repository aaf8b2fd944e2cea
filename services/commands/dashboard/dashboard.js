/* Keeps the page up to date from server-sent events, and asks twice before it stops the session. */
(() => {
  "use strict";
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const box = (id) => document.getElementById(id);
  const money = (value) => (value ?? 0).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const price = (value) => (value ?? 0).toLocaleString("en", { maximumFractionDigits: 8 });
  const signed = (value, text) => `${value > 0 ? "+" : ""}${text(value)}`;
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds)), two = (value) => String(value).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  };

  const stamp = (ms) => `${new Date(ms).toISOString().replace("T", " ").slice(0, 19)} UTC`;

  function say(words, tone) {
    box("state").textContent = words;
    box("state").className = `badge ${tone}`;
  }

  function element(tag, text, kind) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  function card(label, value, small, tone) {
    const made = element("div", "", "figure"), shown = element("dd", value, tone);
    shown.append(element("small", small));
    made.append(element("dt", label), shown);
    return made;
  }

  function showNow(seen) {
    const held = seen.position, now = seen.price ?? 0;
    const risk = held ? Math.abs(held.entry_price - held.sl) : 0;
    const away = (level) => `${price(level)}, ${(Math.abs(level - now) / now * 1e4).toFixed(1)} bps, ${risk ? (Math.abs(level - now) / risk).toFixed(2) : "-"} R away`;
    const cards = [
      card("Price", price(now), seen.feed === "connected" ? "" : `feed ${seen.feed ?? "starting"}`),
      card("Equity", money(seen.equity), `balance ${money(seen.balance)}${seen.halted ? ", HALTED" : ""}`),
      held
        ? card(`${held.side} ${held.qty} at ${price(held.entry_price)}`, signed(held.unrealized, money), risk ? `${signed(held.unrealized / (risk * held.qty), (r) => r.toFixed(2))} R` : "", held.unrealized >= 0 ? "good" : "bad")
        : card("Position", "flat", ""),
    ];
    if (held) cards.push(card("Stop", away(held.sl).split(", ")[0], away(held.sl).split(", ").slice(1).join(", "), "bad"), card("Target", away(held.tp).split(", ")[0], away(held.tp).split(", ").slice(1).join(", "), "good"));
    box("now").replaceChildren(...cards);
  }

  function showServices(services, paces) {
    box("services").replaceChildren(...Object.entries(services).map(([name, service]) => {
      const row = document.createElement("tr");
      row.append(element("td", name), element("td", service.state, service.state === "RUNNING" ? "good" : "bad"),
        element("td", service.pid ?? "-", "number"), element("td", service.age === null ? "-" : `${service.age.toFixed(1)} s`, "number"),
        element("td", service.restarts, "number"), element("td", paces[name] ?? "", "faint"));
      return row;
    }));
  }

  let shown = new Set(); // of the lines that came last: each time the newest hundred come
  function showLog(lines) {
    const log = box("log"), isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 5;
    const keys = lines.map((line) => `${line.ts} ${line.service} ${line.event} ${line.message}`);
    for (const [index, line] of lines.entries()) {
      if (shown.has(keys[index])) continue;
      log.append(element("p", `${line.ts.slice(11, 19)} ${line.service} ${line.event} ${line.message}`, line.level));
    }
    shown = new Set(keys);
    while (log.children.length > 500) log.firstChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  const events = new EventSource(`events?token=${encodeURIComponent(token)}`);
  events.addEventListener("look", (event) => {
    const { seen, paces, lines } = JSON.parse(event.data);
    say(seen.stopping ? `stopping: ${seen.stopping}` : "live", seen.stopping ? "bad" : "good");
    box("countdown").hidden = seen.remaining === null;
    box("countdown").value = seen.remaining === null ? 0 : seen.elapsed / ((seen.elapsed + seen.remaining) || 1);
    box("clock").textContent = `${clock(seen.elapsed)} elapsed, ${seen.remaining === null ? "no end" : `${clock(seen.remaining)} left`}${seen.market_ts ? `, market time ${stamp(seen.market_ts)}` : ""}`;
    showNow(seen);
    showServices(seen.services, paces);
    showLog(lines);
  });
  events.addEventListener("run", (event) => {
    const { cards, data } = JSON.parse(event.data);
    box("cards").innerHTML = cards; // made and escaped by the server
    document.dispatchEvent(new CustomEvent("run", { detail: data }));
  });
  events.addEventListener("end", (event) => {
    events.close();
    say(JSON.parse(event.data).words, "");
    box("kill").disabled = true;
    box("sure").close();
  });
  events.addEventListener("error", () => say("no answer: is 'lap dashboard' still running?", "bad"));

  box("kill").addEventListener("click", () => box("sure").showModal());
  box("no").addEventListener("click", () => box("sure").close());
  box("yes").addEventListener("click", async () => {
    box("sure").close();
    const answer = await fetch("kill", { method: "POST", headers: { "X-Lap-Token": token } });
    if (!answer.ok) say(`the session was not stopped: ${answer.status}`, "bad");
  });
})();
