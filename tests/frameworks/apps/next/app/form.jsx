'use client';
import { useActionState } from 'react';

export default function Form({ action }) {
  const [said, send] = useActionState(action, '');
  return (
    <form id="form" action={send}>
      <input name="name" />
      <button>send</button>
      <p id="said">{said}</p>
    </form>
  );
}
