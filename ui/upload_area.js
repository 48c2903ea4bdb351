// Sends files in pieces of 8 MB, each with its sha256, and goes on where an interrupted upload stood.
const PIECE = 8 * 1024 * 1024, TRIES = 6;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const find = (name) => parentElement.querySelector(name);
  const say = (text, bad) => {
    find(".said").textContent = text;
    find(".said").classList.toggle("bad", Boolean(bad));
  };
  let stopped = false;

  async function ask(method, path, body, headers = {}) {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(path, { method, body, headers: { "X-Upload-Token": data.token, ...headers } });
        const answer = await response.json();
        if (response.ok) return answer;
        const final = response.status < 500 && !response.headers.has("X-Send-Again");
        if (final || attempt === TRIES) throw { sentence: answer.error };
      } catch (error) {
        if (error.sentence || attempt === TRIES) throw error;
      }
      say("The connection was interrupted; trying again ...");
      await new Promise((wait) => setTimeout(wait, 500 * 2 ** attempt));
    }
  }

  async function prepare(file, at) {
    const piece = file.slice(at, at + PIECE);
    if (at >= file.size || !crypto.subtle) return { at, piece, headers: {} };
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await piece.arrayBuffer()));
    const sum = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    return { at, piece, headers: { "X-Content-Sha256": sum } };
  }

  async function send(chosen) {
    const files = [...chosen].map((file) => [file.webkitRelativePath || file.name, file]);
    if (!files.length) return;
    stopped = false;
    say("");
    find("progress").value = 0;
    find(".stop").hidden = false;
    find("progress").hidden = false;
    try {
      const list = JSON.stringify(files.map(([name, file]) => [name, file.size, file.lastModified]));
      const upload = await ask("POST", data.path, list);
      const byName = new Map(files);
      const total = upload.sizes.reduce((a, b) => a + b, 0);
      let there = upload.received.reduce((a, b) => a + b, 0);
      const began = performance.now(), first = there;
      for (let k = 0; k < upload.names.length; k++) {
        const file = byName.get(upload.names[k]);
        let at = upload.received[k];
        let next = prepare(file, at);
        while (at < upload.sizes[k]) {
          if (stopped) throw { sentence: "Stopped. Choose the same files again to go on from here." };
          let ready = await next;
          if (ready.at !== at) ready = await prepare(file, at); // the server stood elsewhere
          next = prepare(file, at + PIECE); // while this one is on its way
          const path = `${data.path}/${upload.id}/${k}?offset=${at}`;
          const answer = await ask("PUT", path, ready.piece, ready.headers);
          there += answer.received - at;
          at = answer.received;
          const left = ((performance.now() - began) / 1000) * (total - there) / Math.max(there - first, 1);
          find("progress").value = there / total;
          say(`${(there / 1e6).toFixed(0)} of ${(total / 1e6).toFixed(0)} MB, about ${Math.ceil(left)} s left`);
        }
      }
      say("Checking the files ...");
      const opened = await ask("POST", `${data.path}/${upload.id}/finish`);
      const left = upload.skipped.length ? ` ${upload.skipped.length} other file(s) were left out.` : "";
      say(`Opened ${opened.run}: ${opened.checkpoints} checkpoint(s).${left}`);
      setTriggerValue("opened", opened.run);
    } catch (error) {
      say(error.sentence || "The server could not be reached. Choose the same files again to go on.", true);
    }
    find(".stop").hidden = true;
  }

  for (const input of parentElement.querySelectorAll("input")) {
    input.onchange = () => send(input.files).finally(() => (input.value = ""));
  }
  find(".stop").onclick = () => (stopped = true);
}
