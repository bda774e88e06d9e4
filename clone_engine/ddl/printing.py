"""The text of a parse tree: pglast's printer, with what it writes wrong mended.

Pure.  Importing this puts the printers below into pglast's table of them, which is one for the process.  Whether a text
means what its tree does is for the caller to check.
"""

from __future__ import annotations

from typing import Any

from pglast import ast, enums
from pglast.printers import NODE_PRINTERS, node_printer
from pglast.stream import RawStream

ORDERINGS = {enums.SortByDir.SORTBY_ASC: "ASC", enums.SortByDir.SORTBY_DESC: "DESC"}
NULLS = {
    enums.SortByNulls.SORTBY_NULLS_FIRST: "NULLS FIRST",
    enums.SortByNulls.SORTBY_NULLS_LAST: "NULLS LAST",
}

_alter_table_command = NODE_PRINTERS[ast.AlterTableCmd]


def printed(tree: Any) -> str:
    """The statement as text.  NotImplementedError for what cannot be written."""
    return str(RawStream()(tree))


@node_printer(ast.IndexStmt, override=True)
def _index(node: Any, output: Any) -> None:
    """pglast puts NULLS NOT DISTINCT behind what it must come before."""
    output.write("CREATE UNIQUE INDEX " if node.unique else "CREATE INDEX ")
    output.print_name(node.idxname)
    output.swrite("ON ")
    output.print_node(node.relation)
    if node.accessMethod != "btree":
        output.swrite("USING ")
        output.print_name(node.accessMethod)
    _listed(" ", node.indexParams, output)
    _listed(" INCLUDE ", node.indexIncludingParams, output)
    if node.nulls_not_distinct:
        output.write(" NULLS NOT DISTINCT")
    _listed(" WITH ", node.options, output)
    if node.whereClause:
        output.swrite("WHERE ")
        output.print_node(node.whereClause)


def _listed(words: str, nodes: Any, output: Any) -> None:
    if nodes:
        output.write(words)
        with output.expression(True):
            output.print_list(nodes)


@node_printer(ast.IndexElem, override=True)
def _index_element(node: Any, output: Any) -> None:
    _partition_element(node, output)
    if node.opclassopts:
        output.write(" ")
        with output.expression(True):
            output.print_list(node.opclassopts)
    for word in (ORDERINGS.get(node.ordering), NULLS.get(node.nulls_ordering)):
        if word:
            output.swrite(word)


@node_printer(ast.PartitionElem, override=True)
def _partition_element(node: Any, output: Any) -> None:
    """pglast puts a comma into the qualified name of a collation."""
    if node.name:
        output.print_name(node.name)
    else:
        with output.expression(True):
            output.print_node(node.expr)
    if node.collation:
        output.swrite("COLLATE ")
        output.print_name(node.collation, ".")
    if node.opclass:
        output.write(" ")
        output.print_name(node.opclass, ".")


@node_printer(ast.AlterTableCmd, override=True)
def _alter_table(node: Any, output: Any) -> None:
    """pglast does not know rules that are always enabled."""
    if node.subtype == enums.AlterTableType.AT_EnableAlwaysRule:
        output.write("ENABLE ALWAYS RULE ")
        output.print_name(node.name)
    else:
        _alter_table_command(node, output)
