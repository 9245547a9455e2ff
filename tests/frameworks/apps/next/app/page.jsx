import { greet } from './actions.js';
import Counter from './counter.jsx';
import Form from './form.jsx';

export default function Page() {
  return (
    <>
      <h1 id="title">as it was</h1>
      <Counter />
      <Form action={greet} />
    </>
  );
}
