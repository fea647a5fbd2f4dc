module modelfile-studio/unicode

go 1.26
