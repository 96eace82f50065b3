// The page of `edgevirt vnc --browser`: one display, by noVNC, over a WebSocket of the edgevirt that served this page.
import RFB from './novnc/core/rfb.js';

const part = id => document.getElementById(id);
const say = text => { part('state').textContent = text; };

// The secret in the address is good once, and gone from it at once; what it is exchanged for stays with this tab, over reloads.
async function enter() {
  const secret = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
  if (secret) {
    const answer = await fetch('session', { method: 'POST', body: secret });
    sessionStorage.clear();
    if (answer.ok) {
      const [session, machine] = (await answer.text()).split('\n');
      sessionStorage.setItem('session', session);
      sessionStorage.setItem('machine', machine);
    }
  }

  return sessionStorage.getItem('session');
}

function connect(session) {
  part('again').hidden = true;
  say('Connecting');
  const socket = new WebSocket(`ws://${location.host}/display/${session}`);
  let reason = '';
  socket.addEventListener('close', event => { reason = event.reason; });
  const rfb = new RFB(part('screen'), socket);
  rfb.scaleViewport = true;
  part('keys').onclick = () => { rfb.sendCtrlAltDel(); rfb.focus(); };
  rfb.addEventListener('connect', () => {
    say('Connected');
    part('keys').disabled = false;
    rfb.focus();
  });
  rfb.addEventListener('disconnect', () => {
    say(`Not connected: ${reason || 'edgevirt has ended, or the connection broke off'}`);
    part('keys').disabled = true;
    part('again').hidden = false;
  });
}

part('full').onclick = () => part('screen').requestFullscreen();
// A new address of the same port, opened in this tab, does not load the page by itself.
addEventListener('hashchange', () => location.reload());
const session = await enter();
if (session) {
  part('machine').textContent = document.title = sessionStorage.getItem('machine');
  part('again').onclick = () => connect(session);
  connect(session);
} else {
  say('This address is not good any more: it works once. Run edgevirt vnc --browser again for a new one.');
}
