import { useState } from 'react';

export default function App() {
  const [count, setCount] = useState(0);
  return (
    <>
      <h1 id="title">as it was</h1>
      <button id="count" onClick={() => setCount(count + 1)}>{count}</button>
    </>
  );
}
