"""What can be measured on finished clips, one module a measure."""
