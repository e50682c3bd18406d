drop table bus.file_text;
drop table bus.provider_file;
