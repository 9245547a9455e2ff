// Asks with growing pauses whether the workspace answers again, and then loads what was asked for. It asks for the icon and by HEAD: the
// page's own URL may be one that counts, such as a sign-in's callback with its code.
(() => {
  const kFirst = 500, kLongest = 15000, kMostLoads = 8, kForgotten = 600000, kKey = 'cmuxproxy-waiting';
  const state = document.getElementById('state'), again = document.getElementById('again');
  const safe = document.documentElement.dataset.method === 'GET';
  let pause = kFirst, timer = 0, asking = false;

  // The workspace may answer and this one page still fail: then the pauses grow from load to load, and end with some.
  const store = {
    get() { try { return JSON.parse(sessionStorage.getItem(kKey)) ?? {}; } catch { return {}; } },
    set(value) { try { sessionStorage.setItem(kKey, JSON.stringify(value)); } catch {} },
  };
  const last = store.get();
  let loads = 0;
  if (last.url === location.href && Date.now() - last.at < kForgotten) {
    loads = last.loads ?? 0;
    pause = Math.min(2 * last.pause, kLongest);
  }

  async function isBack() {
    const limit = new AbortController();
    const late = setTimeout(() => limit.abort(), 30000);
    try {
      const answer = await fetch('/favicon.ico', { method: 'HEAD', cache: 'no-store', redirect: 'manual', signal: limit.signal });
      return !(answer.headers.get('proxy-status') ?? '').startsWith('cmuxproxy;');
    } catch {
      return false;
    } finally {
      clearTimeout(late);
    }
  }

  function load() {
    store.set({ url: location.href, at: Date.now(), pause, loads: loads + 1 });
    location.reload();
  }

  async function ask() {
    clearTimeout(timer);
    if (asking) return;
    asking = true;
    const back = await isBack();
    asking = false;
    if (!back) loads = 0;
    if (back && safe && loads < kMostLoads) return load();
    if (back && safe) {
      state.textContent = `The workspace answers, and this page still fails, ${loads} times by now. It is loaded again once the workspace has been away.`;
    } else if (back) {
      state.textContent = 'The workspace answers again. What you sent may not have reached it.';
      again.textContent = 'Send it again';
      again.hidden = false;
      return;
    }
    pause = loads < kMostLoads ? Math.min(1.5 * pause, kLongest) : kLongest;
    timer = setTimeout(ask, pause);
  }

  again.addEventListener('click', () => {
    loads = -1;  // from the beginning
    load();
  });
  again.hidden = !safe;
  if (safe) state.textContent = 'It is tried again and again, and loads by itself as soon as the workspace answers.';
  addEventListener('online', ask);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) ask(); });
  timer = setTimeout(ask, pause);
})();
