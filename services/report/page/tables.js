/* Sorts a table by the column whose head is clicked: falling first for numbers, rising for words, then the other way.
   A long table holds only the rows that have been scrolled to, so that it stays quick; all of them when printed. */
(() => {
  "use strict";
  const STEP = 100;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));

  function valueOf(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  }

  function liven(table) {
    const body = table.tBodies[0], frame = table.parentElement;
    let rows = [...body.rows];
    const showMore = (count) => body.append(...rows.slice(body.rows.length, body.rows.length + count));

    function sort(head) {
      const column = head.cellIndex;
      if (!rows.length) return;
      const isNumber = rows[0].cells[column].dataset.value !== undefined;
      const before = head.getAttribute("aria-sort");
      const falls = before ? before === "ascending" : isNumber;
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const keyed = rows.map((row) => [valueOf(row, column), row]);
      keyed.sort((a, b) => (falls ? compare(b[0], a[0]) : compare(a[0], b[0])));
      rows = keyed.map(([, row]) => row);
      body.replaceChildren(...rows.slice(0, STEP));
      frame.scrollTop = 0;
    }

    body.replaceChildren(...rows.slice(0, STEP));
    frame.addEventListener("scroll", () => {
      if (frame.scrollTop + 2 * frame.clientHeight > frame.scrollHeight) showMore(STEP);
    }, { passive: true });
    addEventListener("beforeprint", () => showMore(rows.length));
    for (const button of table.querySelectorAll("th button")) {
      button.addEventListener("click", () => sort(button.closest("th")));
    }
  }

  document.querySelectorAll("table.sortable").forEach(liven);
})();
