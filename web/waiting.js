// Asks with growing pauses whether the workspace answers again, and then loads what was asked for. It asks for the icon and by HEAD: the
// page's own URL may be one that counts, such as a sign-in's callback with its code.
(() => {
  const kFirst = 500, kLongest = 15000, kKey = 'cmuxproxy-waiting';
  const state = document.getElementById('state'), again = document.getElementById('again');
  const safe = document.documentElement.dataset.method === 'GET';
  let pause = kFirst, timer = 0, asking = false;

  // The workspace may answer and this one page still fail: then the pauses grow from load to load.
  const store = {
    get() { try { return JSON.parse(sessionStorage.getItem(kKey)) ?? {}; } catch { return {}; } },
    set(value) { try { sessionStorage.setItem(kKey, JSON.stringify(value)); } catch {} },
  };
  const last = store.get();
  if (last.url === location.href && Date.now() - last.at < 4 * kLongest) pause = Math.min(2 * last.pause, kLongest);

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
    store.set({ url: location.href, at: Date.now(), pause });
    location.reload();
  }

  async function ask() {
    clearTimeout(timer);
    if (asking) return;
    asking = true;
    const back = await isBack();
    asking = false;
    if (back && safe) return load();
    if (back) {
      state.textContent = 'The workspace answers again. What you sent may not have reached it.';
      again.textContent = 'Send it again';
      again.hidden = false;
      return;
    }
    pause = Math.min(1.5 * pause, kLongest);
    timer = setTimeout(ask, pause);
  }

  again.addEventListener('click', load);
  again.hidden = !safe;
  if (safe) state.textContent = 'It is tried again and again, and loads by itself as soon as the workspace answers.';
  addEventListener('online', ask);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) ask(); });
  timer = setTimeout(ask, pause);
})();
