import { title } from './title.js';

const show = () => (document.querySelector('#title').textContent = title);
show();
const count = document.querySelector('#count');
count.addEventListener('click', () => (count.textContent = Number(count.textContent) + 1));
import.meta.webpackHot?.accept('./title.js', show);
